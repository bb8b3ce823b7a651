"""What ``async for`` reads: an asynchronous iterator over a reader that somebody else fills."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Stream"]

_Item = TypeVar("_Item")


class Stream(Generic[_Item]):
    """An asynchronous iterator over what a reader holds; it forgets itself when nobody holds it."""

    def __init__(self) -> None:
        self._take: Callable[[], _Item | None] = lambda: None
        self._future: asyncio.Future[None] | None = None
        self._ended = False
        self._detach: Callable[[], object] = lambda: None

    def attach(self, take: Callable[[], _Item | None], forget: Callable[[], object]) -> None:
        """Where items come from, and who forgets the reader."""
        self._take = take
        self._detach = weakref.finalize(self, forget)

    def waker(self) -> Callable[[], None]:
        """What a reader calls when it has something; it does not keep the stream alive."""
        weak = weakref.ref(self)

        def wake() -> None:
            stream = weak()
            if stream is not None:
                stream.wake()

        return wake

    def wake(self) -> None:
        """Something came, or the end."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def end(self) -> None:
        """Gives what is left, then ends."""
        self._ended = True
        self._detach()
        self.wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        while True:
            item = self._take()
            if item is not None:
                return item
            if self._ended:
                raise StopAsyncIteration
            if self._future is not None:
                raise RuntimeError("a stream has one reader at a time")
            self._future = asyncio.get_running_loop().create_future()
            try:
                await self._future
            finally:
                self._future = None

    async def aclose(self) -> None:
        """Ends the stream."""
        self.end()
