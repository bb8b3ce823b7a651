"""The tape beside raw pyarrow IPC of the same columns, in the same kind of file, on the same disk."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench import workloads
from bench.groups import Setting
from bench.measure import NS, Absent, Contender, Contest, Row, local
from bench.workloads import Events

OURS, PEER = "engine", "pyarrow"
EVENTS = 16_320  #: events a batch, on both sides


@functools.cache
def folder() -> Path:
    """Lives as long as the process; both write here."""
    place = tempfile.TemporaryDirectory(prefix="tickforge-bench-")
    folder.place = place  # type: ignore[attr-defined] - removed with it
    return Path(place.name)


def batches(setting: Setting) -> list[Events]:
    updates = workloads.touch(setting.count(1_000_000, 20_000)).updates
    return [updates[start : start + EVENTS].copy() for start in range(0, len(updates), EVENTS)]


def write_ours(parts: list[Events]) -> None:
    from engine.storage.tape import TapeWriter

    with TapeWriter(folder() / "ours.tape") as writer:
        for part in parts:
            writer.write(part)


def columns(parts: list[Events]) -> list[list[np.ndarray[Any, Any]]]:
    """What the peer writes: every field of every batch as a contiguous array, ready before the clock starts."""
    return [[np.ascontiguousarray(part[name]) for name in part.dtype.names or ()] for part in parts]


def write_peer(parts: list[list[np.ndarray[Any, Any]]]) -> None:
    import pyarrow as pa

    from engine.storage.tape_schema import schema

    with pa.OSFile(str(folder() / "peer.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema()) as writer:
        for part in parts:
            arrays = [pa.array(column, field.type) for column, field in zip(part, schema(), strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema()))


def read_ours(path: Path) -> None:
    """Every event as a record again."""
    from engine.storage.tape_reader import TapeFile

    with TapeFile(path) as tape:
        for _ in tape:
            pass


def read_peer(path: Path) -> None:
    """Mapped columns, copied into arrays that are used again: a mapping alone has read nothing."""
    import pyarrow as pa

    from engine.storage.tape_schema import schema

    room = [np.empty(EVENTS, f"i{field.type.bit_width // 8}") for field in schema()]
    with pa.memory_map(str(path)) as source:
        for batch in pa.ipc.open_stream(source):
            for into, column in zip(room, batch.columns, strict=True):
                np.copyto(into[: len(column)], column.to_numpy().view(into.dtype))


def absent() -> Absent | None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return Absent(PEER, "not installed: pip install pyarrow")
    return None


def sized(contender: Contender, size: int) -> Contender:
    return Contender(contender.name, size, contender.round, contender.latencies)


def removed(name: str, work: Any) -> Any:
    (folder() / name).unlink(missing_ok=True)
    return work


def write(setting: Setting) -> Contest:
    if missing := absent():
        return Contest(Absent(OURS, "needs pyarrow"), (missing,))
    parts = batches(setting)
    size, ready = sum(map(len, parts)), columns(parts)
    return Contest(
        sized(local(OURS, 1, lambda: removed("ours.tape", parts), write_ours), size),
        (sized(local(PEER, 1, lambda: removed("peer.arrow", ready), write_peer), size),),
        f"{size:,} events in batches of {EVENTS:,}; the peer's columns are laid out beforehand",
    )


def read(setting: Setting) -> Contest:
    if missing := absent():
        return Contest(Absent(OURS, "needs pyarrow"), (missing,))
    parts = batches(setting)
    write_ours(parts)
    write_peer(columns(parts))
    size = sum(map(len, parts))
    return Contest(
        sized(local(OURS, 1, lambda: folder() / "ours.tape", read_ours), size),
        (sized(local(PEER, 1, lambda: folder() / "peer.arrow", read_peer), size),),
        "ours gives records; the peer's mapped columns are copied into arrays that are used again",
    )


_COPY = "64 bytes an event at the 36 GB/s of a copy in memory"

ROWS = [
    Row("write", "tape: write", NS, write, 64 / 36, _COPY, scaled=False),
    Row("read", "tape: memory-mapped read to records", NS, read, 64 / 36, _COPY, scaled=False),
]
