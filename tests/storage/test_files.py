"""Recorded files: every compression gives the same bytes, and damage is told after what came before it."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from engine.errors import ConfigError, StorageError
from engine.storage.files import RecordedFile, check_apart, same_file

CONTENT = b"".join(b"%d,%d\n" % (i, i * i * 7919 % 10_007) for i in range(50_000))


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKED: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda data: data,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("compression", PACKED)
@pytest.mark.parametrize("size", [1_000, 70_000, 10_000_000])
def test_every_compression_gives_the_content_in_pieces(tmp_path: Path, compression: str | None, size: int) -> None:
    path = tmp_path / "data"
    path.write_bytes(PACKED[compression](CONTENT))
    file = RecordedFile(path)
    assert file.compression == compression
    for _ in range(2):
        pieces = list(file.pieces(size))
        assert b"".join(pieces) == CONTENT
        assert all(len(piece) == size for piece in pieces[:-1])
        assert file.position == file.size == path.stat().st_size
    assert file.reading_ns > 0
    assert file.head(10) == CONTENT[:10]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_joined_archives_are_one_file(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / "data").write_bytes(pack(CONTENT[:1000]) + pack(CONTENT[1000:]))
    assert b"".join(RecordedFile(tmp_path / "data").pieces()) == CONTENT


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_what_was_cut_off_gives_what_there_is_and_then_raises(tmp_path: Path, compression: str) -> None:
    packed = PACKED[compression](CONTENT)
    (tmp_path / "data").write_bytes(packed[: len(packed) * 3 // 4])
    pieces = []
    with pytest.raises(StorageError, match=f"data: {compression} data, near byte .* of {len(packed) * 3 // 4}: "):
        pieces.extend(RecordedFile(tmp_path / "data").pieces(10_000))
    got = b"".join(pieces)
    assert len(got) > len(CONTENT) // 2
    assert CONTENT.startswith(got)


@pytest.mark.parametrize("compression", ["gzip", "xz"])  # zstd frames of pyarrow have no checksum
def test_damage_raises(tmp_path: Path, compression: str) -> None:
    packed = bytearray(PACKED[compression](CONTENT))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff" * 40
    (tmp_path / "data").write_bytes(packed)
    with pytest.raises(StorageError, match=f"{compression} data"):
        list(RecordedFile(tmp_path / "data").pieces())


def test_empty_and_absent_files(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert list(RecordedFile(tmp_path / "empty").pieces()) == []
    assert RecordedFile(tmp_path / "empty").head() == b""
    with pytest.raises(StorageError, match="absent: cannot be read: No such file"):
        RecordedFile(tmp_path / "absent")
    with pytest.raises(StorageError, match="cannot be read: Is a directory"):
        RecordedFile(tmp_path)


def test_one_file_has_many_names(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"a")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "soft").symlink_to("a")
    (tmp_path / "dangling").symlink_to("new")
    for name in ("a", "hard", "soft", "../" + tmp_path.name + "/a"):
        assert same_file(tmp_path / "a", tmp_path / name)
        with pytest.raises(ConfigError, match="is the file being read"):
            check_apart(tmp_path / name, tmp_path / "a")
    assert same_file(tmp_path / "new", tmp_path / "dangling")
    for one, other in (("a", "b"), ("a", "new"), ("new", "newer")):
        assert not same_file(tmp_path / one, tmp_path / other)
    check_apart(tmp_path / "b", tmp_path / "a")
    assert not same_file("/dev/null", "/dev/null")  # as often as one likes
