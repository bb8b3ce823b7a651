"""The public face: lazy, complete, and never the uncompiled folder."""

import ast
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import engine
from tests.checkout import ENGINE, tree


def run(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


def test_names_are_listed_and_loaded_once():
    assert set(engine.__all__) < set(dir(engine))
    assert engine.EVENT is engine.EVENT


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'Bok'"):
        engine.Bok  # noqa: B018 - reading it is the test


def test_type_checkers_and_the_interpreter_see_the_same_names():
    """The imports under TYPE_CHECKING are what ``_HOME`` loads."""
    guarded = next(node for node in tree(ENGINE / "__init__.py").body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen == engine._HOME
    assert set(seen) == set(engine.__all__)


def test_a_checkout_steps_aside_for_the_installed_package(tmp_path):
    shutil.copytree(ENGINE, tmp_path / "engine", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    installed = Path(engine.__path__[0])
    done = run(
        f"import sys; sys.path.append({str(installed.parent)!r}); import engine; print(engine.__path__[0])", tmp_path
    )
    assert (done.stdout.strip(), done.stderr) == (str(installed), "")


def test_without_compiled_modules_the_error_says_what_to_do(tmp_path):
    shutil.copytree(ENGINE, tmp_path / "engine", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    folders = {str(tmp_path), *(folder for folder in sys.path if "site-packages" in folder), str(ENGINE.parent)}
    done = run(f"import sys; sys.path[:] = [p for p in sys.path if p not in {folders!r}]; import engine", tmp_path)
    assert done.returncode == 1
    assert "ImportError: no compiled modules" in done.stderr
    assert "pip install ." in done.stderr


def test_a_wrong_cpu_target_is_an_import_error_that_lists_the_right_ones():
    code = "import os; os.environ['TICKFORGE_CPU'] = 'z80'; import engine._native.batch"
    done = run(code, ENGINE.parent)
    assert done.returncode == 1
    assert "TICKFORGE_CPU is z80; this CPU and build support baseline" in done.stderr


def test_compiled_modules_are_of_this_interpreter():
    assert (Path(engine.__path__[0]) / "_native" / f"batch{EXTENSION_SUFFIXES[0]}").exists()
