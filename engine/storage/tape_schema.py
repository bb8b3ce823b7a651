"""What a tape is: a standard Arrow IPC stream, and what travels with its batches.

The columns are the fields of ``engine.EVENT``; any Arrow reader reads them. What is new since the batch before travels
in the custom metadata of each record batch, as JSON with exact integers: ``tickforge.instruments`` (rows with ``id``),
``tickforge.venues`` (number -> name), ``tickforge.side`` (rows of the side stream, with ``type``) and
``tickforge.bars`` (bars that were pushed). An instrument travels with the first batch that refers to it, and again when
its definition has changed: the last one counts. So a file cut off at any byte is whole up to its last complete batch,
and needs nothing beside it.
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from engine._native import tape as kernel
from engine.core.events import EVENT
from engine.storage.arrow_message import END_OF_STREAM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "FIELDS",
    "KEYS",
    "ROWS",
    "VERSION",
    "TapeBatch",
    "aligned",
    "batch_header",
    "plain_header",
    "record_batch",
    "schema",
    "schema_message",
    "to_json",
]

VERSION: Final = "1"  #: of the schema and the metadata, in the schema's metadata as ``tickforge.tape``
#: Events a record batch at most: two megabytes. Not a power of two, so that the columns, 255 KB apart, fall into
#: different sets of the first-level cache.
ROWS: Final = 32_640
KEYS: Final = ("instruments", "venues", "side", "bars")  #: of the metadata, each after ``tickforge.``
FIELDS: Final = EVENT.names or ()  #: the columns


class TapeBatch(NamedTuple):
    """One record batch: its events, what is new with it (see the module), and where it starts in its file."""

    events: NDArray[np.void]
    instruments: Sequence[Mapping[str, Any]] = ()
    venues: Mapping[int, str] = {}
    side: Sequence[Mapping[str, Any]] = ()
    bars: Sequence[Mapping[str, Any]] = ()
    start: int = 0


@cache
def schema() -> pa.Schema:
    """The Arrow schema of a tape: the fields of EVENT, none null. Prices and quantities are counts of 1e-9."""
    import pyarrow as pa

    stamp = pa.timestamp("ns", "UTC")
    types = [stamp if name.startswith("ts_") else pa.from_numpy_dtype(EVENT[name]) for name in FIELDS]
    units = {"price": {"unit": "1e-9"}, "quantity": {"unit": "1e-9"}}
    fields = [pa.field(*pair, nullable=False, metadata=units.get(pair[0])) for pair in zip(FIELDS, types, strict=True)]
    return pa.schema(fields, metadata={"tickforge.tape": VERSION})


@cache
def schema_message() -> bytes:
    """What every tape starts with."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    pa.ipc.new_stream(sink, schema()).close()
    return bytes(sink.getvalue())[: -len(END_OF_STREAM)]


def batch_header(rows: int, metadata: dict[str, str] | None) -> bytes:
    """The frame and the metadata of a record batch, written by pyarrow; the body that follows is ours."""
    import pyarrow as pa

    zeros = pa.py_buffer(bytes(8 * rows))
    arrays = [
        pa.Array.from_buffers(field.type, rows, [None, zeros[: rows * EVENT[field.name].itemsize]], 0)
        for field in schema()
    ]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema()) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema()), custom_metadata=metadata)
    message = bytes(sink.getvalue())[len(schema_message()) :]
    return message[: len(message) - len(END_OF_STREAM) - kernel.body_size(rows)]


@lru_cache(maxsize=4096)
def plain_header(rows: int) -> bytes:
    """``batch_header`` of a batch with which nothing is new."""
    return batch_header(rows, None)


def record_batch(events: NDArray[np.void]) -> pa.RecordBatch:
    """Events as an Arrow record batch of ``schema``."""
    import pyarrow as pa

    body = pa.allocate_buffer(kernel.body_size(len(events)))
    kernel.to_columns(np.ascontiguousarray(events), body)
    arrays, offset = [], 0
    for field in schema():
        size = len(events) * EVENT[field.name].itemsize
        arrays.append(pa.Array.from_buffers(field.type, len(events), [None, body[offset : offset + size]], 0))
        offset += -(-size // 8) * 8
    return pa.RecordBatch.from_arrays(arrays, schema=schema())


def to_json(value: Any) -> str:
    """JSON in the fewest bytes; integers are exact, nan and inf a ValueError."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def aligned(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The part of ``raw`` that starts on a cache line, so that whole lines are stored."""
    return raw[-raw.ctypes.data % 64 :]
