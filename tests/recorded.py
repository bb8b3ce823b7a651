"""Where recorded market data is found: the folder named by ``TICKFORGE_DATA``, and nowhere else.

Without that variable the tests that want data skip with a reason. With it, a file that is not there is a failure.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

ABSENT = "TICKFORGE_DATA is not set: recorded data is not here"


def data_folder() -> Path | None:
    """The folder of recorded data, or None where this machine has none."""
    folder = os.environ.get("TICKFORGE_DATA")
    return Path(folder) if folder else None


def data_path(path: str) -> Path:
    """The recorded file or folder at ``path``; skips the test without data, fails it when the path does not exist."""
    folder = data_folder()
    if folder is None:
        pytest.skip(ABSENT)
    found = folder / path
    if not found.exists():
        pytest.fail(f"TICKFORGE_DATA is set, but it has no {path}", pytrace=False)
    return found


def data_files(pattern: str) -> list[Any]:
    """Parameters for ``parametrize``: every recorded file that matches, or one skipped parameter without data.

    Raises:
        FileNotFoundError: TICKFORGE_DATA is set and nothing matches.
    """
    folder = data_folder()
    if folder is None:
        return [pytest.param(None, marks=[pytest.mark.data, pytest.mark.skip(reason=ABSENT)], id="no-data")]
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"TICKFORGE_DATA is set, but nothing in it matches {pattern}")
    return [pytest.param(path, marks=pytest.mark.data, id=path.name) for path in found]
