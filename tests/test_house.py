"""The rules of the house, as a program: floors, rim, mirror, sizes, public names, native hygiene.

The tables are data in pyproject.toml ([tool.tickforge...]); the reasons stand in docs/decisions/.
"""

import ast
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

import engine
from tests import checkout
from tests.checkout import ENGINE, PROJECT, ROOT, RULES, relative, sources, tree

PYTHON = sources("engine", ".py")
NATIVE = sources("native", ".cpp", ".hpp", ".inl", ".cc")

# Every name of the public face when complete; they arrive with their capability, and no other does.
PLANNED = {
    *(
        "EVENT",
        "Kind",
        "Side",
        "Flag",
        "NANOS",
        "Instruments",
        "Instrument",
        "Book",
        "ConsolidatedBook",
        "Books",
        "Quote",
    ),
    *(
        "Walk",
        "Decoder",
        "Feed",
        "Venue",
        "ORDER",
        "REPORT",
        "replay",
        "Tape",
        "run",
        "Config",
        "MarketData",
        "Provider",
    ),
    *(
        "Engine",
        "Broker",
        "Limits",
        "Change",
        "BookView",
        "Bar",
        "Bars",
        "Order",
        "Update",
        "Fill",
        "Refused",
        "Lagged",
    ),
    *("Limit", "Immediate", "TWAP", "VWAP", "POV", "Iceberg", "Adaptive", "Shortfall", "VolumeCurve", "tca", "Intent"),
    *("Refusal", "Portfolio", "Losses", "Scenario", "stress", "monte_carlo", "option_values", "implied_volatility"),
    *(
        "features",
        "FEATURES",
        "feature_table",
        "FeatureStream",
        "train",
        "evaluate",
        "Predictor",
        "Prediction",
        "feature",
    ),
    *("payoff", "backtest", "World", "Simulation"),
    *("EngineError", "ConfigError", "ProtocolError", "VenueError", "Rejected", "Throttled", "SessionLost"),
    *("UnknownOutcome", "StorageError", "ModelError", "InternalError"),
}

RIM_MODULES = {
    *(
        "asyncio",
        "uvloop",
        "socket",
        "socketserver",
        "ssl",
        "select",
        "selectors",
        "http",
        "urllib",
        "aiohttp",
        "websockets",
    ),
    *("threading", "multiprocessing", "concurrent", "subprocess", "signal", "time", "random", "secrets", "uuid"),
    *("tempfile", "shutil", "glob", "gzip", "lzma", "bz2", "mmap"),
}
RIM_CALLS = {
    "open",
    "input",
    "now",
    "utcnow",
    "today",
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "unlink",
}
RIM_ATTRIBUTES = {("os", "environ"), ("os", "getenv"), ("os", "open"), ("np", "random"), ("numpy", "random")}
HEAVY = [
    "numba",
    "scipy",
    "pandas",
    "exchange_calendars",
    "pyarrow",
    "onnxruntime",
    "aiohttp",
    "torch",
    "click",
    "rich",
    "websockets",
    "orjson",
]


# ---- who may import whom


def test_floors_only_look_down():
    table = checkout.units()
    for unit, (floor, allowed) in table.items():
        for other in allowed:
            assert other == "below" or table[other][0] < floor or (floor == 1 and table[other][0] == 0), (
                f"{unit} -> {other}"
            )


@pytest.mark.parametrize("path", [path for path in PYTHON if path != ENGINE / "__init__.py"], ids=relative)
def test_imports_stay_on_their_floors(path):
    module = checkout.module_name(path)
    assert checkout.unit_of(module) or path.name == "__init__.py", f"{module} has no floor in pyproject.toml"
    wrong = [
        f"line {line}: engine.{name or '__init__'}"
        for name, line in checkout.house_imports(path)
        if not checkout.may_import(module, name)
    ]
    assert not wrong


@pytest.mark.parametrize("path", sources("bindings", ".pyx", ".pxd", ".cpp", ".hpp"), ids=relative)
def test_glue_imports_nothing_of_the_house_above_the_record(path):
    imported = set(re.findall(r"""(?:from|import|cimport|import\(") *(engine\.[\w.]+)""", path.read_text()))
    assert {
        name for name in imported if not name.startswith(("engine._native", "engine.core.", "engine.errors"))
    } == set()


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_rim_files_alone_touch_the_world(path):
    inside = path.relative_to(ENGINE).as_posix()
    if any(inside == file or (file.endswith("/") and inside.startswith(file)) for file in RULES["rim"]["files"]):
        return
    wrong = [f"line {line}: import {name}" for name, line in checkout.imports(path) if touches_the_world(name)]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if (node.value.id, node.attr) in RIM_ATTRIBUTES:
                wrong.append(f"line {node.lineno}: {node.value.id}.{node.attr}")
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in RIM_CALLS:
                wrong.append(f"line {node.lineno}: {called}()")
    assert not wrong


def touches_the_world(name: str) -> bool:
    """Whether an imported name brings files, sockets, threads, clocks or chance."""
    names = name.split(".")
    return names[0] in RIM_MODULES or name.startswith("numpy.random") or tuple(names) in RIM_ATTRIBUTES


def test_rim_files_that_are_gone_leave_the_list_or_are_still_planned():
    """The list is of DESIGN's whole house, so it may be ahead of the files, but never name something twice."""
    files = RULES["rim"]["files"]
    assert len(files) == len(set(files))


# ---- every file has its test, every test its file


@pytest.mark.parametrize("path", [path for path in PYTHON if checkout.has_code(path)], ids=relative)
def test_each_source_has_its_test(path):
    inside = path.relative_to(ENGINE)
    stem = path.stem.strip("_")  # __init__.py and __main__.py are tested by test_init.py and test_main.py
    folder = ROOT / "tests" / inside.parent
    assert [*folder.glob(f"test_{stem}.py"), *folder.glob(f"test_{stem}_*.py")], f"no {folder}/test_{stem}.py"


@pytest.mark.parametrize("path", sources("tests", ".py"), ids=relative)
def test_each_test_has_its_source(path):
    if not path.name.startswith("test_"):
        assert not any(name.startswith("test_") for name, _ in checkout.python_functions(path)), "tests that never run"
        return
    inside = path.relative_to(ROOT / "tests")
    stem = path.stem.removeprefix("test_")
    if inside.as_posix() in {"test_house.py", "test_readme.py"}:
        return
    candidates = ["_".join(stem.split("_")[:count]) for count in range(len(stem.split("_")), 0, -1)]
    if inside.parts[0] == "native":
        homes = [ROOT / "native", ROOT / "bindings"]
    elif inside.parts[0] == "bench":
        homes = [ROOT / inside.parent]
    elif inside.parts[0] in {"campaign", "conformance"}:  # commands that live among the tests: test_feeds.py, `feeds`
        homes = [path.parent, ENGINE]
    else:
        homes = [ENGINE / inside.parent]
    names = {file.name.split(".")[0].strip("_") for home in homes for file in home.glob("*") if file.suffix != ".pyc"}
    assert names.intersection(candidates), f"{relative(path)} tests nothing that exists"


@pytest.mark.parametrize("folder", sorted(path for path in (ROOT / "native").iterdir() if path.is_dir()), ids=relative)
def test_each_kernel_has_its_test(folder):
    if folder.name in {"fuzz", "__pycache__"}:
        return
    assert list((ROOT / "tests" / "native").glob(f"test_{folder.name}*.py")), f"no tests/native/test_{folder.name}*.py"


def test_each_compiled_module_has_its_stub():
    compiled = {path.name.split(".")[0] for path in sources("bindings", ".pyx", ".pybind.cpp")}
    assert {path.stem for path in sources("engine/_native", ".pyi")} == compiled


def test_stubs_tell_the_truth(tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text(r".*\.__(reduce|setstate)_cython__" + "\n")  # Cython's own, in every module with a class
    options = [
        "--mypy-config-file",
        str(ROOT / "pyproject.toml"),
        "--ignore-disjoint-bases",
        "--ignore-unused-allowlist",
        "--allowlist",
        str(allowed),
    ]
    modules = [f"engine._native.{path.stem}" for path in sources("engine/_native", ".pyi")]
    command = [sys.executable, "-m", "mypy.stubtest", *options, *modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- sizes


@pytest.mark.parametrize(
    "path", [*sources("engine", ".py", ".pyi"), *sources("bench", ".py"), *sources("tests", ".py")], ids=relative
)
def test_python_files_stay_small(path):
    check_file(path, RULES["ratchet"]["python_file"])


@pytest.mark.parametrize("path", [*NATIVE, *sources("bindings", ".pyx", ".pxd", ".cpp", ".hpp")], ids=relative)
def test_native_files_stay_small(path):
    check_file(path, RULES["ratchet"]["native_file"])


def check_file(path: Path, limit: int) -> None:
    """A file keeps to the limit, or to its own entry, which is exactly its length."""
    lines = len(path.read_text().splitlines())
    ratchet = RULES["ratchet"]["files"]
    if relative(path) in ratchet:
        assert limit < lines == ratchet[relative(path)], f"{lines} lines: lower or remove the entry in pyproject.toml"
    else:
        assert lines <= limit


@pytest.mark.parametrize(
    "path",
    [
        *PYTHON,
        *sources("bench", ".py"),
        *sources("tests", ".py"),
        *sources("bindings", ".pyx", ".cpp", ".hpp"),
        *NATIVE,
    ],
    ids=relative,
)
def test_functions_fit_a_screen(path):
    limit, ratchet = RULES["ratchet"]["function"], RULES["ratchet"]["functions"]
    read = {".py": checkout.python_functions, ".pyx": checkout.cython_functions}.get(
        path.suffix, checkout.native_functions
    )
    for name, lines in read(path):
        entry = ratchet.get(f"{relative(path)}:{name}")
        if entry is not None and lines > limit:
            assert lines == entry, f"{name} has {lines} lines: lower the entry in pyproject.toml"
        else:
            assert lines <= limit, f"{name} has {lines} lines"


def test_the_ratchet_names_what_exists():
    named = [*RULES["ratchet"]["files"], *(entry.split(":")[0] for entry in RULES["ratchet"]["functions"])]
    assert [name for name in named if not (ROOT / name).exists()] == []


# ---- the public face


def test_public_names_are_planned_ones():
    assert set(engine.__all__) <= PLANNED
    assert len(engine.__all__) == len(set(engine.__all__))


def test_public_names_load():
    for name in engine.__all__:
        assert getattr(engine, name) is not None


def test_the_architecture_table_is_the_public_face():
    table = checkout.public_table()
    assert set(table) == set(engine.__all__)
    assert [file for row in table.values() for file in row if not (ROOT / file).exists()] == []


def test_versions_agree():
    assert PROJECT["project"]["version"] == engine.__version__ == version("tickforge")
    assert f"## {engine.__version__}" in (ROOT / "docs" / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("path", [*PYTHON, *sources("tests", ".py")], ids=relative)
def test_nothing_prints(path):
    if path.name == "__main__.py" and "tests" in path.parts:
        return  # a command for developers
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    assert not [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]


def test_the_top_level_is_settled():
    """Of what git holds; environments and builds lie around as they like."""
    allowed = {
        "engine",
        "native",
        "bindings",
        "bench",
        "tests",
        "docs",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    }
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    found = {name.split("/")[0] for name in listed}
    assert {name for name in found - allowed if not name.startswith(".")} == set()


# ---- the gate


@pytest.mark.parametrize("path", PYTHON, ids=relative)
def test_only_the_gate_approves(path):
    if relative(path) == "engine/risk/gate.py":
        return
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    names = [(node.lineno, getattr(node.func, "attr", getattr(node.func, "id", ""))) for node in calls]
    assert [line for line, name in names if name == "Approved"] == []


# ---- import hygiene


def test_importing_engine_loads_nothing_heavy(tmp_path):
    code = f"import sys, engine; engine.EVENT; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_installed_package_is_tested():
    """Not a folder without compiled modules, or with other ones."""
    spec = find_spec("engine._native.batch")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent.parent == Path(engine.__path__[0])


# ---- native


@pytest.mark.parametrize("path", NATIVE, ids=relative)
def test_native_knows_no_python(path):
    text = path.read_text()
    assert not re.search(
        r"Python\.h|numpy/|pybind11|PyObject|#include <iostream>|\bthrow\b(?! *;)|\btry\b *\{", strip_comments(text)
    )


def strip_comments(text: str) -> str:
    """C++ without its comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("target", ["avx2", "avx512"])
@pytest.mark.parametrize("path", sources("native", ".simd.cpp"), ids=relative)
def test_objects_for_one_cpu_share_no_symbols(path, target, tmp_path):
    """A weak symbol compiled for AVX-512 could replace the baseline's at link time, and kill older CPUs."""
    compiler, nm = shutil.which("g++"), shutil.which("nm")
    if compiler is None or nm is None:
        pytest.skip("needs g++ and nm")
    march = {"avx2": "-march=x86-64-v3", "avx512": "-march=x86-64-v4"}[target]
    flags = ["-std=c++20", "-O1", "-fPIC", "-fno-exceptions", "-fno-rtti", march, f"-DTF_TARGET={target}"]
    compiled = tmp_path / "kernel.o"
    subprocess.run([compiler, *flags, f"-I{ROOT / 'native'}", "-c", str(path), "-o", str(compiled)], check=True)
    lines = subprocess.run([nm, "-C", str(compiled)], capture_output=True, text=True, check=True).stdout.splitlines()
    shared = [line for line in lines if re.match(r"\S* +[WVu] ", line) and f"tf::{target}::" not in line]
    assert not shared
