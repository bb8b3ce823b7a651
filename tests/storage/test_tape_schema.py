"""What a tape is made of: the schema, headers and batches as pyarrow reads them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from engine._native import tape as kernel
from engine.core.events import EVENT
from engine.storage.arrow_message import END_OF_STREAM
from engine.storage.tape_schema import (
    FIELDS,
    ROWS,
    VERSION,
    aligned,
    batch_header,
    plain_header,
    record_batch,
    schema,
    schema_message,
    to_json,
)


def test_the_columns_are_the_fields_of_the_record() -> None:
    assert schema().names == list(FIELDS) == list(EVENT.names or ())
    assert schema().metadata == {b"tickforge.tape": VERSION.encode()}
    assert schema().field("price").metadata == {b"unit": b"1e-9"}
    assert not any(field.nullable for field in schema())


@pytest.mark.parametrize("rows", [0, 1, 7, ROWS])
def test_headers_and_bodies_make_a_stream_that_pyarrow_reads(rows: int) -> None:
    array = np.frombuffer(np.random.default_rng(1).bytes(rows * EVENT.itemsize), EVENT)
    body = bytearray(kernel.body_size(rows))
    kernel.to_columns(array, body)
    stream = schema_message() + plain_header(rows) + body + batch_header(rows, {"a": "b"}) + body + END_OF_STREAM
    with pa.ipc.open_stream(stream) as reader:
        first, second = (reader.read_next_batch_with_custom_metadata() for _ in range(2))
    assert (first.custom_metadata, second.custom_metadata) == (None, {b"a": b"b"})
    assert first.batch.equals(record_batch(array))
    assert first.batch.equals(second.batch)
    first.batch.validate(full=True)


def test_json_is_exact_or_refused() -> None:
    assert to_json({"most": 2**64 - 1, "text": "a"}) == '{"most":18446744073709551615,"text":"a"}'
    with pytest.raises(ValueError, match="JSON"):
        to_json([float("nan")])


def test_aligned_memory_starts_on_a_cache_line() -> None:
    for start in range(64):
        part = aligned(np.empty(256, np.uint8)[start:])
        assert part.ctypes.data % 64 == 0
        assert len(part) >= 256 - start - 63
