"""Pumps ``Lines`` on sockets and the loop's timers: the only place where live market data meets asyncio.

A frame goes from the listener straight into ``Lines.received``. Once per loop iteration that brought anything, the
drain carries out commands and calls ``on_drain`` with the instruments that changed and the new trades, each once: when
Python falls behind, every frame is still applied, and callbacks see the newest state.

``busy_poll`` keeps the loop from ever sleeping: for people who own a core. It takes the wake-up of a sleeping thread
out of the way of a message and keeps one core at 100 %, whether there is data or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Self

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
        self.frame = runner._frames_of(line)

    def opened(self) -> None:
        if self.runner._is_current(self):
            self.runner._input("opened", self.line)

    def pong(self) -> None:
        if self.runner._is_current(self):
            self.runner._input("pong", self.line)

    def closed(self, code: int | None, reason: str) -> None:
        if self.runner._is_current(self):
            self.runner._input("closed", self.line, (code, reason))


class Runner:
    """Runs ``lines`` in the current event loop.

    Args:
        lines: all lines; this runner alone gives it inputs.
        on_drain: called inline with what changed; an exception in it is logged and counted, and never stops the feed.
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
        on_drain: Callable[[NDArray[np.uint32], NDArray[np.void]], None] | None = None,
        on_notices: Callable[[list[tuple[int, Notice]]], None] | None = None,
        transport: Kind = "picows",
        busy_poll: bool = False,
        clock: Callable[[], int] = time.time_ns,
        elapsed: Callable[[], int] = time.perf_counter_ns,
        record: Callable[[str, int, int, Any], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.lines = lines
        self.on_drain = on_drain
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
        self._running = False
        self._drain_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._fresh: list[
            tuple[int, int]
        ] = []  # lines that had frames since the last drain: (line, first frame's time)
        self._latencies = [lines.latency(line) for line in range(len(lines.names))]
        self._touched = [False] * len(lines.names)
        composer = lines.aggregator.composer
        self._take_changes, self._take_trades = composer.take_changes, composer.take_trades
        self.drains = self.frames = self.errors = 0
        self.batch = self.batch_max = 0  # frames of this drain; most in one
        self.callback_ns_max = self.timer_late_ns_max = 0

    # ---- life

    async def start(self) -> None:
        """Opens every line; returns at once, connections come up by themselves."""
        self._loop = asyncio.get_running_loop()
        self._running = True
        if self._busy_poll:
            self._loop.call_soon(self._spin)
        self._input("start", -1)

    async def close(self) -> None:
        """Closes every line and waits until its sockets are gone."""
        if not self._running:
            return
        self._input("stop", -1)
        self._drain()
        self._running = False
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
        if not self._drain_due and self._running and self._loop is not None:
            self._drain_due = True
            self._loop.call_soon(self._drain)

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
        if self.lines.stirred and self._running:
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

    def _frames_of(self, line: int) -> Callable[..., None]:
        """The callback for frames of one line: as few steps as can be.

        Behind the last frame of what a socket gave it drains at once, without a turn of the loop.
        """
        receive, clock, elapsed, record = self.lines.received, self._clock, self._elapsed, self._record
        touched, fresh, drain = self._touched, self._fresh, self._drain

        def frame(data: memoryview | bytes, last: bool = False) -> None:
            if not touched[line]:
                touched[line] = True
                fresh.append((line, elapsed()))
            now = clock()
            if record is not None:
                data = bytes(data)
                record("frame", line, now, data)
            try:
                receive(line, data, now)
            except Exception:
                self._broken(line)
            self.batch += 1
            if last:
                drain()
            elif not self._drain_due:
                self._drain_due = True
                self._loop.call_soon(drain)  # type: ignore[union-attr]

        return frame

    def _broken(self, line: int) -> None:
        """Our own code failed on a frame: told, and the line starts anew, as after a malformed one."""
        self.errors += 1
        _LOG.exception("%s: a frame could not be handled", self.lines.names[line])
        link = self._links.pop(line, None)
        if link is not None:
            link.close(1011, "")
        self._input("closed", line, (None, "a frame could not be handled"))

    # ---- outputs

    def _drain(self) -> None:
        """Commands, the next timer, and what changed since the last drain."""
        self._drain_due = False
        if not self._running:
            return
        if self.lines.stirred:
            self._obey()
        if self.on_drain is not None:
            changes, trades = self._take_changes(), self._take_trades()
            if len(changes) or len(trades):
                self._call(self.on_drain, changes, trades)
        if self.batch:
            self._count()

    def _call(self, callback: Callable[..., None], *found: Any) -> None:
        """The user's code: timed, and never the end of the feed."""
        started = self._elapsed()
        try:
            callback(*found)
        except Exception:
            self.errors += 1
            _LOG.exception("a callback for market data failed")
        self.callback_ns_max = max(self.callback_ns_max, self._elapsed() - started)

    def _count(self) -> None:
        """Latency of the oldest frame of each line, and how many frames there were."""
        ended = self._elapsed()
        stamps = self.lines.stamps
        for line, started in self._fresh:
            latency = self._latencies[line]
            latency.returned.record(ended - started)
            if stamps[line]:
                latency.total.record(self._clock() - stamps[line])
                stamps[line] = 0
            self._touched[line] = False
        self._fresh.clear()
        self.drains += 1
        self.frames += self.batch
        self.batch_max = max(self.batch_max, self.batch)
        self.batch = 0

    def _obey(self) -> None:
        """Carries out commands, and waits for the next timer."""
        self.lines.stirred = False
        for command in self.lines.take_commands():
            self._carry_out(command)
        if self.on_notices is not None:
            notices = self.lines.take_notices()
            if notices:
                self._call(self.on_notices, notices)
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
        if self._running and self._loop is not None:
            self._loop.call_soon(self._spin)
