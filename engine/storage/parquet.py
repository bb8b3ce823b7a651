"""Parquet files that are whole or not there: written beside, and renamed when complete."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any

from engine.errors import StorageError
from engine.storage.tape_schema import schema, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

__all__ = ["parquet_writer", "write_parquet"]


@contextlib.contextmanager
def parquet_writer(path: str | os.PathLike[str], columns: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Gives what writes a batch; the file appears under ``path`` when the block ends, not when an exception leaves it.

    A file that was there stays as it is until then. What is no regular file, such as a pipe, is written straight.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    place = os.path.realpath(path)
    straight = os.path.exists(place) and not stat.S_ISREG(os.stat(place).st_mode)
    part = place if straight else f"{place}.{os.getpid()}.part"
    with _written(path):
        if not straight:
            with open(part, "xb"):  # what another writer has begun, or the user's own, is not ours to replace
                pass
    try:
        with contextlib.ExitStack() as stack:
            with _written(path):
                writer = stack.enter_context(pq.ParquetWriter(part, columns))

            def write(batch: pa.RecordBatch) -> None:
                with _written(path):
                    writer.write_batch(batch)

            yield write
            with _written(path):
                stack.close()
        if not straight:
            with _written(path):
                os.replace(part, place)
    except BaseException:
        if not straight:
            with contextlib.suppress(OSError):
                os.unlink(part)
        raise


@contextlib.contextmanager
def _written(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{os.fspath(path)}: cannot be written: {error.strerror or error}") from error


def write_parquet(
    path: str | os.PathLike[str],
    batches: Iterable[pa.RecordBatch],
    instruments: Sequence[Mapping[str, Any]],
    venues: Mapping[int, str],
) -> None:
    """Writes record batches of ``schema``; instruments and venues go into the file's schema metadata, as on a tape.

    Raises:
        StorageError: the file cannot be written.
    """
    tables = {b"tickforge.instruments": to_json(instruments), b"tickforge.venues": to_json(venues)}
    described = schema().with_metadata({**schema().metadata, **tables})
    with parquet_writer(path, described) as write:
        for batch in batches:
            write(batch.replace_schema_metadata(described.metadata))
