"""What every test shares: recorded data, bounded property tests, and the installed package instead of the folder.

``data``      a fixture, ``data("lobster/x.csv.xz") -> Path``; skips without ``TICKFORGE_DATA`` (see tests/recorded.py)
``--hypothesis-profile``   ``ci`` (default: the same examples every time) or ``long`` (fresh ones, many)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
# The checkout goes last: `tests` and `bench` are found in it, `engine` where it is installed.
sys.path[:] = [*(entry for entry in sys.path if Path(entry).resolve() != ROOT), str(ROOT)]

from tests.recorded import data_folder, data_path  # noqa: E402 - needs the line above

settings.register_profile(
    "ci",
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "data: needs recorded data (TICKFORGE_DATA); with it set, a skip is a failure")


@pytest.fixture(scope="session")
def data() -> Callable[[str], Path]:
    """Finds recorded data: a path below ``TICKFORGE_DATA``."""
    return data_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With recorded data at hand, a data test that skips has failed."""
    report = yield
    needs_data = "data" in getattr(item, "fixturenames", ()) or item.get_closest_marker("data") is not None
    if report.skipped and needs_data and data_folder() is not None and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"a data test skipped although TICKFORGE_DATA is set: {report.longrepr}"
    return report
