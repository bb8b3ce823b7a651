"""CPU targets: the best one unless TICKFORGE_CPU names another."""

import os
import subprocess
import sys

import pytest

from engine._native import batch

ORDER = ["baseline", "avx2", "avx512"]


def chosen(forced: str | None) -> subprocess.CompletedProcess[str]:
    """A fresh process that says which target it uses."""
    environment = {name: value for name, value in os.environ.items() if name != "TICKFORGE_CPU"}
    if forced is not None:
        environment["TICKFORGE_CPU"] = forced
    code = "from engine._native import batch; print(batch.target(), end='')"
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_supported_targets_start_at_the_baseline_and_have_no_gap():
    supported = batch.supported_targets()
    assert supported == ORDER[: len(supported)]
    assert supported


def test_the_best_target_is_chosen():
    assert chosen(None).stdout == chosen("").stdout == batch.supported_targets()[-1]


@pytest.mark.parametrize("name", batch.supported_targets())
def test_each_supported_target_can_be_forced(name):
    assert chosen(name).stdout == name


@pytest.mark.parametrize("name", ["AVX2", "sse9", "baseline "])
def test_other_names_are_refused(name):
    done = chosen(name)
    assert done.returncode == 1
    assert f"ImportError: TICKFORGE_CPU is {name}; this CPU and build support baseline" in done.stderr


def test_this_process_uses_the_target_that_was_asked_for():
    assert batch.target() == (os.environ.get("TICKFORGE_CPU") or batch.supported_targets()[-1])
