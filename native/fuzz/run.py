"""Fuzzes decoders and venue under the address and undefined-behaviour sanitizers, without Python in the process.

    python native/fuzz/run.py [--seconds N] [--keep FOLDER] [TARGET ...]

With clang the targets are libFuzzer's, else a small mutation driver runs them (``standalone.cc``). Inputs to start from
come from the encoders of the slow twins. Each core runs a target at a time; a crash is shown with its input and makes
the exit status non-zero. ``--keep`` leaves programs, corpus and crashes in a folder, so that a later run goes on from
what this one found.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT

NATIVE = Path(__file__).resolve().parent.parent
sys.path.append(str(NATIVE.parent))

from tests.reference import (  # noqa: E402 - from the checkout this file is in
    capture,
    iex,
    itch,
    journal,
    lobster,
    wire_alpaca,
    wire_finnhub,
    wire_polygon,
    wire_schwab,
)

X86 = platform.machine() in {"x86_64", "AMD64"}
MARCH = {"baseline": ["-march=x86-64-v2"], "avx2": ["-march=x86-64-v3"], "avx512": ["-march=x86-64-v4"]}
FLAGS = ["-std=c++20", "-g", "-O1", "-fno-omit-frame-pointer", "-fno-sanitize-recover=undefined", f"-I{NATIVE}"]
SANITIZERS = "address,undefined"
SEEDS = 24


def capture_of(draw: random.Random, count: int) -> bytes:
    """A capture of either form with segments and packets."""
    frames = []
    for number in range(count):
        payload = itch.random_packets(draw, 1)
        if draw.random() < 0.6:
            payload = iex.segment([iex.random_message(draw, draw.choice("85QT"))], number)
        frames.append((10**18 + number * 10**6, capture.ethernet(payload, tags=draw.randrange(2))))
    order = draw.choice("<>")
    if draw.random() < 0.5:
        return capture.next_generation(frames, order)
    return capture.classic(frames, order=order, unit=draw.choice(["us", "ns"]))


ENCODERS = {
    "itch": itch.random_stream,
    "moldudp64": itch.random_packets,
    "iex": iex.random_stream,
    "pcap": capture_of,
    "lobster": lobster.random_rows,
    "polygon": wire_polygon.random_frame,
    "alpaca": wire_alpaca.random_frame,
    "alpaca_msgpack": wire_alpaca.random_packed_frame,
    "alpaca_crypto": partial(wire_alpaca.random_frame, crypto=True),
    "alpaca_crypto_msgpack": partial(wire_alpaca.random_packed_frame, crypto=True),
    "finnhub": wire_finnhub.random_frame,
    "schwab": wire_schwab.random_frame,
    "venue": lambda draw, count: draw.randbytes(8 * count),
    "journal": journal.random_records,
}


def compiler() -> tuple[str, bool]:
    """The compiler and whether it has libFuzzer."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.cc")
        source.write_text('extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n')
        for name in ("clang++-19", "clang++"):
            command = [name, f"-fsanitize=fuzzer,{SANITIZERS}", str(source), "-o", f"{folder}/empty"]
            if shutil.which(name) and subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return name, True
    return "g++", False


def build(folder: Path, targets: list[str], name: str, guided: bool) -> None:
    """Compiles the kernels once and links a program for each target."""
    sources = [NATIVE / "symbols.cpp", NATIVE / "targets.cpp"]
    parts = ("decode", "wire", "book", "venue", "journal")
    sources += [path for part in parts for path in sorted((NATIVE / part).glob("*.cpp"))]
    compile_flags = [*FLAGS, f"-fsanitize={SANITIZERS}{',fuzzer-no-link' if guided else ''}"]
    link_flags = [*FLAGS, f"-fsanitize={SANITIZERS}{',fuzzer' if guided else ''}"]
    commands, objects = [], []
    for source in sources:
        simd = source.name.endswith(".simd.cpp")
        for target in (MARCH if X86 else ["baseline"]) if simd else [""]:
            objects.append(str(folder / f"{source.parent.name}-{source.stem}.{target}.o"))
            own = [*(MARCH[target] if X86 else []), f"-DTF_TARGET={target}"] if simd else []
            commands.append([name, *compile_flags, *own, "-c", str(source), "-o", objects[-1]])
    links = []
    for target in targets:
        entry = [str(NATIVE / "fuzz" / f"{target}.fuzz.cc")]
        entry += [] if guided else [str(NATIVE / "fuzz" / "standalone.cc")]
        links.append([name, *link_flags, *entry, *objects, "-o", str(folder / target)])
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for stage in (commands, links):
            list(pool.map(lambda command: subprocess.run(command, check=True), stage))


def seed(corpus: Path, target: str) -> None:
    """Inputs to start from, strict and lenient, in pieces of several sizes."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number in range(SEEDS):
        draw = random.Random(number)
        (corpus / f"seed-{number:02}").write_bytes(bytes([number * 11 % 256]) + ENCODERS[target](draw, 1 + number))


def fuzz(folder: Path, target: str, seconds: int, guided: bool) -> int:
    """Runs one target for a time, in a folder of its own; its exit status."""
    corpus, crashes = folder / f"{target}-corpus", folder / f"{target}-crashes"
    seed(corpus, target)
    crashes.mkdir(exist_ok=True)
    command = [str(folder / target)]
    if guided:
        command += [str(corpus), f"-max_total_time={seconds}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=2048"]
        command += ["-print_final_stats=1", "-verbosity=0", f"-artifact_prefix={crashes}/"]
    else:
        command += [str(seconds), "1", *map(str, sorted(corpus.iterdir()))]
    done = subprocess.run(command, cwd=crashes, check=False, timeout=seconds + 120, stdout=PIPE, stderr=STDOUT)
    print(f"--- {target}, {seconds} s\n{done.stdout.decode(errors='replace')}", end="", flush=True)
    if done.returncode:
        print(f"{target} failed with status {done.returncode}", flush=True)
        for crash in sorted(crashes.iterdir()):
            print(f"{crash.name}: {crash.read_bytes().hex()}", flush=True)
    return done.returncode


def main() -> int:
    """Builds, seeds and runs; 0 when no target failed."""
    parser = argparse.ArgumentParser(description="Fuzz the native decoders and the venue under the sanitizers.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: {' '.join(ENCODERS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--keep", type=Path, help="folder for programs, corpus and crashes (default: a temporary one)")
    options = parser.parse_args()
    targets = options.targets or list(ENCODERS)
    if unknown := set(targets) - set(ENCODERS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(ENCODERS)}")
    name, guided = compiler()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{name}, {'libFuzzer' if guided else 'own mutation driver'}", flush=True)
        build(folder, targets, name, guided)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return max(pool.map(lambda target: abs(fuzz(folder, target, options.seconds, guided)), targets))


if __name__ == "__main__":
    sys.exit(main())
