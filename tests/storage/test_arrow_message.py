"""Finding the messages of an Arrow stream, against pyarrow's own reader."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.storage.arrow_message import END, RECORD_BATCH, SCHEMA, read_messages

COLUMNS = pa.schema([("a", pa.int64()), ("b", pa.uint8())], metadata={"of": "the schema"})


def stream(rows: list[int], metadata: dict[str, str] | None = None, *, nulls: bool = False) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, COLUMNS) as writer:
        for count in rows:
            values = [None if nulls and not index else index % 200 for index in range(count)]
            batch = pa.record_batch([pa.array(values, pa.int64()), pa.array(values, pa.uint8())], schema=COLUMNS)
            writer.write_batch(batch, custom_metadata=metadata)
    return bytes(sink.getvalue())


def test_frames_rows_and_buffers_are_those_pyarrow_wrote() -> None:
    data = stream([3, 3, 9], {"key": "värde", "empty": ""})
    messages = list(read_messages(data))
    assert [message.kind for message in messages] == [SCHEMA, RECORD_BATCH, RECORD_BATCH, RECORD_BATCH, END]
    assert [message.rows for message in messages[1:-1]] == [3, 3, 9]
    assert all(after.start == before.end for before, after in pairwise(messages))
    assert messages[-1].end == len(data)
    for message in messages[1:-1]:
        assert message.plain
        assert message.metadata == {"key": "värde", "empty": ""}
        assert message.lengths == (0, 8 * message.rows, 0, message.rows)
        first = message.body + message.offsets[1]
        assert data[first : first + 16] == bytes(8) + b"\x01" + bytes(7)


def test_nulls_are_not_plain() -> None:
    assert [message.plain for message in read_messages(stream([2], nulls=True))] == [True, False, True]


def test_compression_is_not_plain() -> None:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, COLUMNS, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(pa.record_batch([pa.array([1] * 99, pa.int64()), pa.array([1] * 99, pa.uint8())], COLUMNS))
    assert [message.plain for message in read_messages(bytes(sink.getvalue()))] == [True, False, True]


def test_every_cut_keeps_the_complete_messages() -> None:
    data = stream([1, 2], {"k": "v"})
    whole = list(read_messages(data))
    for size in range(len(data)):
        assert list(read_messages(data[:size])) == [message for message in whole if message.end <= size]


@given(st.binary(max_size=300))
def test_garbage_holds_no_message_and_raises_nothing(data: bytes) -> None:
    assert len(list(read_messages(data))) <= len(data) // 8
    list(read_messages(stream([1]) + data))


@given(st.data())
def test_changed_bytes_raise_nothing(data: st.DataObject) -> None:
    changed = bytearray(stream([2, 1], {"key": "value"}))
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    places = [(message.start, message.end) for message in read_messages(bytes(changed))]
    assert all(0 <= start < end <= len(changed) for start, end in places)
    assert [start for start, _ in places[1:]] == [end for _, end in places[:-1]]  # nothing is passed over


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff\xff", b"ARROW1\0\0", bytes(64)])
def test_what_is_no_stream_has_no_messages(data: bytes) -> None:
    assert list(read_messages(data)) == []
