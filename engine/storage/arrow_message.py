"""Where the messages of an Arrow IPC stream lie, without reading their bodies.

The frame is that of https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format: 0xFFFFFFFF, the
length of the metadata, the metadata (a flatbuffer, Message.fbs), the body. Only what a tape needs is read from the
flatbuffer: https://flatbuffers.dev/internals/ tells its layout.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

__all__ = ["END", "END_OF_STREAM", "RECORD_BATCH", "SCHEMA", "Message", "read_messages"]

END_OF_STREAM: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
END: Final = 0  #: ``kind`` of the end mark
SCHEMA: Final = 1  #: ``kind`` of a schema message
RECORD_BATCH: Final = 3  #: ``kind`` of a record batch
_CONTINUATION: Final = 0xFFFFFFFF


class Message(NamedTuple):
    """One complete message.

    ``start``, ``body`` and ``end`` are places in the file; ``kind`` is the number in MessageHeader of Message.fbs, 0
    for the end mark. ``offsets`` are the places of the buffers in the body and ``lengths`` their bytes, two for each
    column (validity, values); ``plain`` says that every column has both and all rows, no nulls and no compression.
    """

    kind: int
    start: int
    body: int
    end: int
    rows: int = 0
    offsets: tuple[int, ...] = ()
    lengths: tuple[int, ...] = ()
    plain: bool = True
    metadata: dict[str, str] = {}  # noqa: RUF012 - never changed


def read_messages(memory: bytes | mmap) -> Iterator[Message]:
    """Every complete message from the start; stops at the end mark, at a torn message, or where nothing is readable."""
    start, size = 0, len(memory)
    before, message = b"", Message(END, 0, 0, 0)
    while size - start >= 8:
        mark, length = struct.unpack_from("<II", memory, start)
        if mark != _CONTINUATION:
            return
        if length == 0:
            yield Message(END, start, start + 8, start + 8)
            return
        body = start + 8 + length
        if body > size:
            return
        data = bytes(memory[start + 8 : body])
        if data == before:  # full batches without news have one header
            message = message._replace(start=start, body=body, end=body + message.end - message.body)
        else:
            try:
                message = _read_message(data, start, body)
            except (struct.error, UnicodeDecodeError, IndexError):
                return
        before = data
        if message.end > size:
            return
        yield message
        start = message.end


def _read_message(data: bytes, start: int, body: int) -> Message:
    root = _u32(data, 0)
    kind_at, header_at, length_at, pairs_at = (_field(data, root, index) for index in (1, 2, 3, 4))
    kind = data[kind_at] if kind_at else END
    (length,) = struct.unpack_from("<q", data, length_at) if length_at else (0,)
    if length < 0 or kind == END:
        raise IndexError(length)
    metadata = dict(_pairs(data, pairs_at)) if pairs_at else {}
    if kind != RECORD_BATCH:
        return Message(kind, start, body, body + length, metadata=metadata)
    header = header_at + _u32(data, header_at)
    rows_at, nodes_at, buffers_at, compression_at = (_field(data, header, index) for index in range(4))
    (rows,) = struct.unpack_from("<q", data, rows_at) if rows_at else (0,)
    nodes = _structs(data, nodes_at)
    buffers = _structs(data, buffers_at)
    whole = 2 * len(nodes) == len(buffers) and all(count == rows for count in nodes[::2])
    plain = whole and not compression_at and not any(nodes[1::2])
    return Message(kind, start, body, body + length, rows, buffers[::2], buffers[1::2], plain, metadata)


def _u32(data: bytes, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


def _field(data: bytes, table: int, index: int) -> int:
    """Where a field of a table lies, 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    if vtable < 0:
        raise IndexError(vtable)
    (size,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * index >= size:
        return 0
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * index)
    return table + offset if offset else 0


def _structs(data: bytes, at: int) -> tuple[int, ...]:
    """A vector of structs of two 64-bit integers, flat."""
    if not at:
        return ()
    vector = at + _u32(data, at)
    count = _u32(data, vector)
    if count > len(data) // 16:
        raise IndexError(count)
    return struct.unpack_from(f"<{2 * count}q", data, vector + 4)


def _text(data: bytes, at: int) -> str:
    if not at:
        return ""
    string = at + _u32(data, at)
    return data[string + 4 : string + 4 + _u32(data, string)].decode()


def _pairs(data: bytes, at: int) -> Iterator[tuple[str, str]]:
    vector = at + _u32(data, at)
    for item in range(vector + 4, vector + 4 + 4 * _u32(data, vector), 4):
        pair = item + _u32(data, item)
        yield _text(data, _field(data, pair, 0)), _text(data, _field(data, pair, 1))
