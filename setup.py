"""Compiles the kernels once, without Python in sight, then links them into the extension modules.

Environment variables:
    TICKFORGE_BUILD   release (default), debug, sanitize (address + undefined), coverage, or native (this CPU only)
    CXX, CXXFLAGS, AR as every C++ build understands them
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
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError

ROOT = Path(__file__).parent
X86 = platform.machine() in {"x86_64", "AMD64"}
BASELINE = ["-march=x86-64-v2"] if X86 else ["-march=armv8-a"] if platform.machine() == "aarch64" else []
# A file named *.simd.cpp is compiled once for each target, everything in it inside namespace tf::<target>.
TARGETS = {"baseline": BASELINE}
if X86:
    TARGETS["avx2"] = ["-march=x86-64-v3"]
    TARGETS["avx512"] = ["-march=x86-64-v4", "-mprefer-vector-width=512"]
SANITIZERS = "-fsanitize=address,undefined"
BUILDS = {
    "release": ["-O3", "-DNDEBUG", "-g0"],
    "debug": ["-O0", "-g"],
    # GCC's own AVX-512 headers trip over -Wuninitialized when they are sanitized (GCC bug 105593)
    "sanitize": [
        "-O1",
        "-g",
        "-fno-omit-frame-pointer",
        SANITIZERS,
        "-fno-sanitize-recover=undefined",
        "-Wno-uninitialized",
    ],
    "coverage": ["-O0", "-g", "--coverage"],
    "native": ["-O3", "-DNDEBUG", "-g0", "-march=native"],
}
LINKS = {"sanitize": [SANITIZERS], "coverage": ["--coverage"]}
BUILD = os.environ.get("TICKFORGE_BUILD", "release")
if BUILD not in BUILDS:
    raise SystemExit(f"TICKFORGE_BUILD={BUILD!r}; expected one of {', '.join(BUILDS)}")

# No fused multiply-add the source does not ask for: the same bits on every target.
COMMON = ["-std=c++20", "-fPIC", "-ffp-contract=off", "-fvisibility=hidden", "-fvisibility-inlines-hidden"]
STRICT = ["-Wall", "-Wextra", "-Wshadow", "-fno-exceptions", "-fno-rtti"]
if BUILD not in {"release", "native"}:  # a user's newer compiler may know warnings that we do not
    STRICT.append("-Werror")
PORTABLE = [] if BUILD == "native" else BASELINE
COMPILER = [*shlex.split(os.environ.get("CXX", "g++")), *shlex.split(os.environ.get("CXXFLAGS", ""))]
CYTHON = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True, "embedsignature": True}
CYTHON["autotestdict"] = False  # no __test__ in every module
SHIPPED = ("native", "bindings", "bench", "tests", "docs", ".ci")  # what a source distribution holds beside the package


def files(folder: str) -> list[str]:
    """Every file of a folder of the checkout, relative to its root, caches left out."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(str(path.relative_to(ROOT)) for path in found)


def kernels(folder: Path) -> list[tuple[Path, Path, list[str]]]:
    """(source, object, flags) of every kernel and CPU target."""
    jobs = []
    for source in sorted((ROOT / "native").rglob("*.cpp")):
        name = str(source.relative_to(ROOT / "native")).replace("/", "-").removesuffix(".cpp")
        if name.endswith(".simd"):
            for target, flags in TARGETS.items():
                march = [] if BUILD == "native" else flags
                jobs.append((source, folder / f"{name}.{target}.o", [*march, f"-DTF_TARGET={target}"]))
        else:
            jobs.append((source, folder / f"{name}.o", PORTABLE))
    return jobs


def stale(target: Path) -> bool:
    """Whether anything an object was made of, as its compiler listed it, is newer than the object."""
    listing = target.with_suffix(".d")
    if not target.exists() or not listing.exists():
        return True
    sources = listing.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    made = target.stat().st_mtime
    return any(not Path(source).exists() or Path(source).stat().st_mtime > made for source in sources)


def compile_kernel(command: list[str]) -> None:
    """Runs one compiler."""
    if subprocess.run(command, check=False).returncode:
        raise CompileError(f"failed: {shlex.join(command)}")


class BuildKernels(build_ext):
    """build_ext that compiles ``native/`` first, into one archive every extension links."""

    def build_extensions(self) -> None:
        """Kernels, then the archive, then the extensions; only what changed, unless compiler or flags did."""
        import numpy as np
        import pybind11

        folder = Path(self.build_temp).absolute() / "native"
        folder.mkdir(parents=True, exist_ok=True)
        recipe = shlex.join([BUILD, *COMPILER, *COMMON, *STRICT, *BUILDS[BUILD], str(TARGETS)])
        stamp = folder / "recipe"
        if not stamp.exists() or stamp.read_text() != recipe:
            self.force = True
        archive = self.build_archive(folder)
        sources = [Path(file).absolute() for part in ("native", "bindings") for file in files(part)]
        glue = [file for file in sources if file.suffix in {".hpp", ".pxd", ".pxi"}]
        for extension in self.extensions:
            extension.include_dirs += [str(ROOT / "native"), str(ROOT / "bindings")]
            extension.include_dirs += [np.get_include(), pybind11.get_include()]
            extension.extra_compile_args += [*COMMON, *BUILDS[BUILD], *PORTABLE, "-Wno-unused-function"]
            extension.extra_objects.append(str(archive))
            extension.extra_link_args += LINKS.get(BUILD, [])
            extension.depends = [__file__, str(archive), *map(str, glue)]
        self.parallel = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else True
        super().build_extensions()
        stamp.write_text(recipe)

    def build_archive(self, folder: Path) -> Path:
        """Compiles what is stale and packs all objects into one archive."""
        jobs = kernels(folder)
        newest_recipe = Path(__file__).stat().st_mtime
        commands = []
        for source, target, flags in jobs:
            if self.force or stale(target) or target.stat().st_mtime < newest_recipe:
                command = [*COMPILER, *COMMON, *STRICT, *BUILDS[BUILD], *flags, f"-I{ROOT / 'native'}"]
                commands.append([*command, "-MMD", "-c", str(source), "-o", str(target)])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_kernel, commands))
        archive = folder / "libtickforge.a"
        listing = folder / "objects"
        objects = "\n".join(str(target) for _, target, _ in jobs)
        if commands or not archive.exists() or not listing.exists() or listing.read_text() != objects:
            archive.unlink(missing_ok=True)
            subprocess.run([os.environ.get("AR", "ar"), "rcs", str(archive), *objects.split("\n")], check=True)
            listing.write_text(objects)
        return archive


class SourceDistribution(sdist):
    """sdist with kernels, glue, tests, benchmarks and documents."""

    def make_distribution(self) -> None:
        """Adds the folders that are no Python package."""
        self.filelist.extend([file for folder in SHIPPED for file in files(folder)])
        self.filelist.append(".clang-format")
        super().make_distribution()


def extensions() -> list[Extension]:
    """One extension a file of ``bindings/``: Cython for calls a message, pybind11 for calls a batch."""
    from Cython.Build import cythonize

    macros = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
    cython, batch = [], []
    for path in sorted((ROOT / "bindings").iterdir()):
        source = str(path.relative_to(ROOT))
        name = f"engine._native.{path.name.split('.')[0]}"
        if path.suffix == ".pyx":
            cython.append(Extension(name, [source], language="c++", define_macros=macros))
        elif path.name.endswith(".pybind.cpp"):
            batch.append(Extension(name, [source], language="c++"))
    made = (ROOT / "build" / "bindings").glob("*.cpp")
    outdated = any(path.stat().st_mtime < Path(__file__).stat().st_mtime for path in made)
    return [
        *cythonize(
            cython, build_dir="build", include_path=[str(ROOT / "bindings")], compiler_directives=CYTHON, force=outdated
        ),
        *batch,
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels, "sdist": SourceDistribution})
