"""Pumps ``Lines`` on sockets and the loop's timers: the only place where live market data meets asyncio.

Frames go from the listener through the native ``Pump`` that the runner is made of, which drains once for all that a
socket gave at once; what is no frame (connections, timers, commands) is Python's work, here.

``busy_poll`` keeps the loop from ever sleeping: for people who own a core. It takes the wake-up of a sleeping thread
out of the way of a message and keeps one core at 100 %, whether there is data or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Self

from engine._native.pump import Pump
from engine.feeds.lines import Close, Command, Lines, Open, Ping, Send
from engine.feeds.protocol import NEVER
from engine.feeds.transport import Kind, Link, connect

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from engine.feeds.protocol import Notice

__all__ = ["Runner", "new_event_loop"]

_LOG: Final = logging.getLogger("engine.feeds")
_SET_BACK: Final = 1_000_000_000  # ns that a timer is too early


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop where that is installed, else of asyncio."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


class _Handler:
    """What one line's link tells; the runner forgets it when the link is replaced."""

    __slots__ = ("frame", "line", "runner")

    def __init__(self, runner: Runner, line: int) -> None:
        self.runner, self.line = runner, line
        self.frame = runner.tap(line)

    def opened(self) -> None:
        if self.runner._is_current(self):
            self.runner._input("opened", self.line)

    def pong(self) -> None:
        if self.runner._is_current(self):
            self.runner._input("pong", self.line)

    def closed(self, code: int | None, reason: str) -> None:
        if self.runner._is_current(self):
            self.runner._input("closed", self.line, (code, reason))


class Runner(Pump):
    """Runs ``lines`` in the current event loop.

    Args:
        lines: all lines; this runner alone gives it inputs.
        on_drain: called inline with what changed: a list of instruments and an array of prints (see ``Pump``); an
            exception in it is logged and counted, and never stops the feed.
        on_notices: called inline, before ``on_drain``, with what providers said; without it, nobody takes that.
        transport: the WebSocket library.
        busy_poll: never sleep (see the module).
        clock: wall time in ns.
        elapsed: monotonic time in ns.
        record: ``record(kind, line, now, payload)`` is called with each input of ``lines``, before it is given; kinds:
            "start", "stop", "opened", "closed" (payload: code, reason), "frame" (bytes), "pong", "timer", "subscribe",
            "unsubscribe" (symbols); ``line`` is -1 where there is none.
        ssl_context: instead of the system's authorities.
    """

    def __init__(
        self,
        lines: Lines,
        *,
        on_drain: Callable[[list[int], NDArray[np.void]], object] | None = None,
        on_notices: Callable[[list[tuple[int, Notice]]], None] | None = None,
        transport: Kind = "picows",
        busy_poll: bool = False,
        clock: Callable[[], int] = time.time_ns,
        elapsed: Callable[[], int] = time.perf_counter_ns,
        record: Callable[[str, int, int, Any], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(lines, on_drain=on_drain, clock=clock, elapsed=elapsed, record=record)
        self.on_notices = on_notices
        self._transport: Kind = transport
        self._busy_poll = busy_poll
        self._clock, self._elapsed = clock, elapsed
        self._record = record
        self._ssl_context = ssl_context
        self._links: dict[int, Link] = {}
        self._handlers: dict[int, _Handler] = {}  # of the links
        self._ending: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self.timer_late_ns_max = 0

    # ---- life

    async def start(self) -> None:
        """Opens every line; returns at once, connections come up by themselves."""
        self._loop = asyncio.get_running_loop()
        self.running = True
        if self._busy_poll:
            self._loop.call_soon(self._spin)
        self._input("start", -1)

    async def close(self) -> None:
        """Closes every line and waits until its sockets are gone."""
        if not self.running:
            return
        self._input("stop", -1)
        self.drain()
        self.running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, NEVER
        while self._ending:
            await asyncio.wait(self._ending)

    async def __aenter__(self) -> Self:
        """Starts."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes."""
        await self.close()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Wants data of these symbols.

        Raises:
            ValueError: a symbol that no instrument can have.
        """
        self._input("subscribe", -1, tuple(symbols))

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them."""
        self._input("unsubscribe", -1, tuple(symbols))

    def schedule_drain(self) -> None:
        """Drains in this loop iteration: for data that came another way."""
        if not self.due and self.running:
            self.due = True
            self._later()

    def address(self, line: int) -> tuple[str, int] | None:
        """Our end of the line's connection."""
        link = self._links.get(line)
        return None if link is None else link.address

    def report(self) -> dict[str, int]:
        """Back-pressure.

        ``frames``, ``drains``, ``conflated`` (frames whose effect shared a drain with another's), ``batch_max`` (most
        frames in one drain), ``callback_ns_max`` (longest ``on_drain``), ``timer_late_ns_max`` (how late the loop came
        to a timer: the lag of the loop), ``errors`` (of callbacks, and of our own code on frames and timers).
        """
        return {
            "frames": self.frames,
            "drains": self.drains,
            "conflated": max(self.frames - self.drains, 0),
            "batch_max": self.batch_max,
            "callback_ns_max": self.callback_ns_max,
            "timer_late_ns_max": self.timer_late_ns_max,
            "errors": self.errors,
        }

    # ---- inputs

    def _is_current(self, handler: _Handler) -> bool:
        """Whether its link is the line's. What was decided before it spoke comes first: that may end the link."""
        if self.lines.stirred and self.running:
            self._obey()
        return self._handlers.get(handler.line) is handler

    def _input(self, kind: str, line: int, payload: Any = None) -> None:
        """One input that is no frame."""
        now = self._clock()
        if self._record is not None:
            self._record(kind, line, now, payload)
        lines = self.lines
        if kind == "opened":
            lines.opened(line, now)
        elif kind == "closed":
            self._links.pop(line, None)
            lines.closed(line, payload[0], payload[1], now)
        elif kind == "pong":
            lines.pong(line, now)
        elif kind == "timer":
            lines.timer(now)
        elif kind == "subscribe":
            lines.subscribe(payload, now)
        elif kind == "unsubscribe":
            lines.unsubscribe(payload, now)
        elif kind == "start":
            lines.start(now)
        else:
            lines.stop(now)
        self.schedule_drain()

    def _broken(self, line: int) -> None:
        """Our own code failed on a frame: told, and the line starts anew, as after a malformed one."""
        self.errors += 1
        _LOG.exception("%s: a frame could not be handled", self.lines.names[line])
        link = self._links.pop(line, None)
        if link is not None:
            link.close(1011, "")
        self._input("closed", line, (None, "a frame could not be handled"))

    # ---- outputs

    def _later(self) -> None:
        if self._loop is not None:
            self._loop.call_soon(self.drain)

    def _failed(self) -> None:
        self.errors += 1
        _LOG.exception("a callback for market data failed")

    def _obey(self) -> None:
        """Carries out commands, and waits for the next timer."""
        self.lines.stirred = False
        for command in self.lines.take_commands():
            self._carry_out(command)
        if self.on_notices is not None:
            notices = self.lines.take_notices()
            if notices:
                try:
                    self.on_notices(notices)
                except Exception:
                    self._failed()
        due = self.lines.next_timer
        if due != self._timer_at and self._loop is not None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            self._timer = None
            if due != NEVER:
                self._timer = self._loop.call_later(max(due - self._clock(), 0) / 1e9, self._fire)

    def _carry_out(self, command: Command) -> None:
        if isinstance(command, Open):
            handler = self._handlers[command.line] = _Handler(self, command.line)
            try:
                link = connect(
                    command.url,
                    command.headers,
                    handler,
                    kind=self._transport,
                    ssl_context=self._ssl_context,
                    busy_poll=self._busy_poll,
                )
            except Exception as error:
                self._input("closed", command.line, (None, str(error)))
                return
            self._links[command.line] = link
            task = asyncio.ensure_future(link.wait_closed())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            return
        link_now = self._links.get(command.line)
        if link_now is None:
            return
        if isinstance(command, Send):
            link_now.send(command.data)
        elif isinstance(command, Ping):
            link_now.ping()
        elif isinstance(command, Close):
            del self._links[command.line], self._handlers[command.line]
            link_now.close(command.code, command.reason)

    def _fire(self) -> None:
        """A timer is due. Wall time may have been set back: a little is waited for, more is told."""
        self._timer, due = None, self._timer_at
        self._timer_at = NEVER
        now = self._clock()
        if now >= due or due - now >= _SET_BACK:
            self.timer_late_ns_max = max(self.timer_late_ns_max, now - due)
            try:
                self._input("timer", -1)
            except Exception:
                self.errors += 1
                _LOG.exception("a timer could not be handled")
                self.lines.stirred = True
                self.schedule_drain()
        else:
            self._obey()

    def _spin(self) -> None:
        if self.running and self._loop is not None:
            self._loop.call_soon(self._spin)
