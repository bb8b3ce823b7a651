"""Builds the kernels once, without Python in sight, then links them into the extension modules.

Environment variables:
    TICKFORGE_BUILD   release (default), debug, sanitize (address + undefined), coverage, or native (this CPU only)
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
X86 = platform.machine() in {"x86_64", "AMD64"}
BASELINE = ["-march=x86-64-v2"] if X86 else ["-march=armv8-a"] if platform.machine() == "aarch64" else []
# A file named *.simd.cpp is compiled once for each target, everything in it inside namespace tf::<target>.
TARGETS = {
    "baseline": BASELINE,
    **(
        {
            "avx2": ["-march=x86-64-v3"],
            "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
        }
        if X86
        else {}
    ),
}
BUILDS = {
    "release": ["-O3", "-DNDEBUG"],
    "debug": ["-O0", "-g"],
    "sanitize": [
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
    ],
    "coverage": ["-O0", "-g", "--coverage"],
    "native": ["-O3", "-DNDEBUG", "-march=native"],
}
BUILD = os.environ.get("TICKFORGE_BUILD", "release")
if BUILD not in BUILDS:
    raise SystemExit(f"TICKFORGE_BUILD={BUILD!r}; expected one of {', '.join(BUILDS)}")

COMMON = ["-std=c++20", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden", "-fvisibility-inlines-hidden"]
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-Werror", "-fno-exceptions", "-fno-rtti"]
LINK = {"sanitize": ["-fsanitize=address,undefined"], "coverage": ["--coverage"]}.get(BUILD, [])


def kernel_objects(folder: Path) -> list[tuple[Path, Path, list[str]]]:
    """(source, object, flags) of every kernel and CPU target."""
    jobs = []
    for source in sorted((ROOT / "native").rglob("*.cpp")):
        name = str(source.relative_to(ROOT / "native")).replace("/", "-").removesuffix(".cpp")
        if name.endswith(".simd"):
            for target, flags in TARGETS.items():
                march = [] if BUILD == "native" else flags
                jobs.append((source, folder / f"{name}.{target}.o", [*march, f"-DTF_TARGET={target}"]))
        else:
            jobs.append((source, folder / f"{name}.o", [] if BUILD == "native" else BASELINE))
    return jobs


class BuildKernels(build_ext):
    """build_ext that compiles ``native/`` first, into one archive every extension links."""

    def build_extensions(self) -> None:
        folder = Path(self.build_temp).absolute() / f"native-{BUILD}"
        folder.mkdir(parents=True, exist_ok=True)
        compiler = shlex.split(os.environ.get("CXX", "g++"))
        newest = max(path.stat().st_mtime for path in [Path(__file__), *(ROOT / "native").rglob("*.hpp")])
        objects = []
        commands = []
        for source, target, flags in kernel_objects(folder):
            objects.append(str(target))
            if not target.exists() or target.stat().st_mtime < max(newest, source.stat().st_mtime):
                command = [*compiler, *COMMON, *STRICT, *BUILDS[BUILD], *flags, f"-I{ROOT / 'native'}"]
                commands.append([*command, "-c", str(source), "-o", str(target)])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for _ in pool.map(lambda command: subprocess.run(command, check=True), commands):
                pass
        archive = folder / "libtickforge.a"
        archive.unlink(missing_ok=True)
        subprocess.run(["ar", "rcs", str(archive), *objects], check=True)

        import numpy as np
        import pybind11

        for extension in self.extensions:
            extension.include_dirs += [
                str(ROOT / "native"),
                str(ROOT / "bindings"),
                np.get_include(),
                pybind11.get_include(),
            ]
            extension.extra_compile_args += [
                *COMMON,
                *BUILDS[BUILD],
                *([] if BUILD == "native" else BASELINE),
                "-Wno-unused-function",
            ]
            extension.extra_objects += [str(archive)]
            extension.extra_link_args += LINK
            extension.depends += [str(archive), *map(str, (ROOT / "bindings").glob("*.p*"))]
        super().build_extensions()


def extensions() -> list[Extension]:
    """One extension a file of ``bindings/``: Cython for calls a message, pybind11 for calls a batch."""
    from Cython.Build import cythonize

    macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
    cython = [
        Extension(f"engine._native.{path.stem}", [str(path.relative_to(ROOT))], language="c++", define_macros=macros)
        for path in sorted((ROOT / "bindings").glob("*.pyx"))
    ]
    batch = [
        Extension(f"engine._native.{path.stem}", [str(path.relative_to(ROOT))], language="c++")
        for path in sorted((ROOT / "bindings").glob("*.pybind.cpp"))
    ]
    for extension in batch:
        extension.name = extension.name.removesuffix(".pybind")
    directives = {
        "language_level": 3,
        "boundscheck": False,
        "wraparound": False,
        "cdivision": True,
        "embedsignature": True,
    }
    return [*cythonize(cython, compiler_directives=directives), *batch]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
