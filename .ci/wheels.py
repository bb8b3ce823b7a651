"""Builds the sdist and the wheels, and tries each kind of installation: ``python .ci/wheels.py``.

For every CPython 3.11, 3.12 and 3.13 found on PATH or under pyenv: wheel, sdist and editable install, each into a
fresh virtual environment, then a smoke test. Where an AArch64 cross compiler exists, the kernels are compiled for it;
nothing runs there. What is not here is reported as absent. Everything is written to a temporary folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13")
SHIPPED = ("native/event.hpp", "bindings/target.hpp", "tests/conftest.py", "docs/ARCHITECTURE.md", ".ci/run", "LICENSE")
SMOKE = """
import numpy, engine
book = engine.Book(by="price")
book.set(engine.Side.BID, 40_000_000_000, 7 * engine.NANOS)
book.set(engine.Side.ASK, 40_010_000_000, 5 * engine.NANOS)
assert book.bbo()[:4] == (40.0, 7.0, 40.01, 5.0), book.bbo()
events = numpy.zeros(1, engine.EVENT)
events["kind"], events["side"], events["price"] = engine.Kind.LEVEL, engine.Side.BID, 40_000_000_000
assert book.apply(events) and book.bbo().bid_quantity == 0
"""


def run(*command: str | Path, cwd: Path) -> None:
    """Runs a command quietly; shows what it said only if it fails."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def interpreter(version: str) -> Path | None:
    """A working CPython of that version, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = shutil.which(f"python{version}")
    candidates = [Path(named)] if named else []
    candidates += [folder / "bin" / "python" for folder in sorted(pyenv.glob(f"{version}.*"), reverse=True)]
    for candidate in candidates:
        code = "import sys; print(sys.implementation.name, *sys.version_info[:2], sep='.')"
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == f"cpython.{version}":
            return candidate
    return None


def copy_of_checkout(folder: Path) -> Path:
    """The files git knows or would know, so that leftovers of earlier builds neither help nor harm."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def environment(python: Path, folder: Path) -> Path:
    """The interpreter of a fresh virtual environment."""
    run(python, "-m", "venv", folder, cwd=folder.parent)
    return folder / "bin" / "python"


def try_installation(python: Path, scratch: Path, *arguments: str | Path) -> None:
    """Installs into a fresh environment and smoke-tests it, away from the checkout."""
    fresh = environment(python, Path(tempfile.mkdtemp(dir=scratch)) / "venv")
    run(fresh, "-m", "pip", "install", "--quiet", *arguments, cwd=scratch)
    run(fresh, "-c", SMOKE, cwd=scratch)
    run(fresh.parent / "engine", "doctor", cwd=scratch)


def check_source_archive(archive: Path) -> None:
    """The sdist holds what building, testing and reading need."""
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    if missing := [name for name in SHIPPED if name not in names]:
        raise SystemExit(f"{archive.name} lacks {', '.join(missing)}")


def compile_for_aarch64(checkout: Path, scratch: Path) -> str:
    """Compiles every kernel for AArch64 without running it."""
    compiler = shutil.which("aarch64-linux-gnu-g++")
    if compiler is None:
        return "absent: no aarch64-linux-gnu-g++"
    sources = sorted((checkout / "native").rglob("*.cpp"))
    for source in sources:
        flags = [
            "-std=c++20",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fno-exceptions",
            "-fno-rtti",
            "-DTF_TARGET=baseline",
        ]
        run(compiler, *flags, f"-I{checkout / 'native'}", "-c", source, "-o", scratch / "kernel.o", cwd=scratch)
    return f"{len(sources)} kernels compile; not run, not tested"


def main() -> None:
    """Tries everything and prints one line each."""
    scratch = Path(tempfile.mkdtemp(prefix="tickforge-wheels-"))
    try:
        checkout = copy_of_checkout(scratch / "checkout")
        tools = environment(Path(sys.executable), scratch / "tools")
        run(tools, "-m", "pip", "install", "--quiet", "build", cwd=scratch)
        run(tools, "-m", "build", "--sdist", "--outdir", scratch / "dist", checkout, cwd=scratch)
        archive = next((scratch / "dist").glob("*.tar.gz"))
        check_source_archive(archive)
        print(f"sdist        {archive.name}, {archive.stat().st_size / 1e6:.1f} MB")
        print(f"AArch64      {compile_for_aarch64(checkout, scratch)}")
        for version in VERSIONS:
            python = interpreter(version)
            if python is None:
                print(f"CPython {version} absent")
                continue
            start = time.monotonic()
            folder = scratch / version
            run(environment(python, scratch / f"venv-{version}"), "-m", "pip", "wheel", "--quiet", "--no-deps",
                "--wheel-dir", folder, archive, cwd=scratch)  # fmt: skip
            wheel = next(folder.glob("*.whl"))
            try_installation(python, scratch, wheel)
            try_installation(python, scratch, archive)
            try_installation(python, scratch, "--editable", copy_of_checkout(folder / "checkout"))
            size = wheel.stat().st_size / 1e6
            seconds = time.monotonic() - start
            print(
                f"CPython {version} wheel ({size:.1f} MB), sdist, editable: installed, smoke-tested in {seconds:.0f} s"
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
