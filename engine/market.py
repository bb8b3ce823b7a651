"""Live market data: many providers into one book an instrument, and everyone who wants to hear of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from engine.core.instants import instant_ns
from engine.core.instruments import Instrument, Instruments
from engine.core.units import NANOS
from engine.errors import ConfigError, EngineError, VenueError
from engine.feeds.book_view import BookView
from engine.feeds.machine import Machine, feeds_of, session_facts, side_rows
from engine.feeds.metrics import Metric, line_metrics, to_text
from engine.feeds.own import Feed
from engine.feeds.protocol import Refused, Subscribed, Unsubscribed
from engine.feeds.providers import settled
from engine.feeds.runner import Runner
from engine.feeds.stream import Stream
from engine.feeds.watch import BarBuilder, BarReader, Change, ChangeReader, Handle, Watchers
from engine.storage.session import Recording

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from datetime import time as time_of_day
    from types import TracebackType

    from numpy.typing import NDArray

    from engine.core.config import Config, Provider, Transport
    from engine.core.units import Duration
    from engine.feeds.bars import Bar
    from engine.feeds.protocol import Notice, Role

__all__ = ["BookView", "Change", "Feed", "Handle", "MarketData"]

_LOG: Final = logging.getLogger("engine.market")
_TICK_S: Final = 0.1  #: between two looks at the lines' states, and two batches of a recording
_SAID_AGAIN_NS: Final = 30_000_000_000  #: from a warning to the next with the same words


class MarketData:
    """Market data of several providers, merged into one live book an instrument.

    Use it as ``async with MarketData([...]) as market``: connections open on entering and close on leaving. One event
    loop owns it.

    Args:
        config: an ``engine.Config``, or what ``providers`` takes; without it ``Config.from_env()``.
        providers: names ("alpaca", "alpaca-sip", "polygon", tables of the configuration), ``engine.Provider`` and
            ``engine.Feed`` objects. Those of the configuration by default.
        instruments: gets every symbol that is subscribed; a new table with the configuration's rows by default.
        transport: what receives WebSocket frames, "picows" or "websockets"; as configured by default.
        busy_poll: never sleep while waiting for frames, at the price of a core; as configured by default.
        record: a folder to record into: the tape of what is composed, and every input.
        clock: wall time in ns.

    Raises:
        ConfigError: a provider is not known, lacks its key, or is set wrongly; or no such transport.
    """

    def __init__(
        self,
        config: Config | str | Provider | Feed | Iterable[str | Provider | Feed] | None = None,
        providers: Iterable[str | Provider | Feed] | None = None,
        *,
        instruments: Instruments | None = None,
        transport: Transport | None = None,
        busy_poll: bool | None = None,
        record: str | os.PathLike[str] | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._config, self._providers = settled(config, providers)
        chosen: dict[str, Any] = {"transport": transport, "busy_poll": busy_poll}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if chosen:
            self._config = replace(self._config, market=replace(self._config.market, **chosen))
        self.instruments = Instruments(self._config.instruments) if instruments is None else instruments
        settings = self._config.market
        self._seed = secrets.randbits(32) if settings.seed is None else settings.seed
        self._feeds = feeds_of(self._providers, self.instruments)
        self._machine = Machine(
            self._feeds, self.instruments, seed=self._seed, record=record is not None, elapsed=time.perf_counter_ns
        )
        self._clock = clock
        self._record = record
        self._recording: Recording | None = None
        self._side: list[Mapping[str, Any]] = []
        self._runner: Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tick: asyncio.TimerHandle | None = None
        self._timers: dict[tuple[int, int], asyncio.TimerHandle] = {}
        self._states: list[str] = []
        self._views: dict[int, BookView] = {}
        self._watchers = Watchers(self._view)
        self._ended = False  # closed after it was open
        self._streams: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        self._waits: list[_Wait] = []
        self._held: list[set[str]] = [set() for _ in self._feeds]
        self._refused: list[dict[str, EngineError]] = [{} for _ in self._feeds]
        self._said: dict[int, tuple[str, int]] = {}  # line -> the last warning about it, and when

    def __repr__(self) -> str:
        return f"MarketData([{', '.join(self._machine.names)}], {len(self.instruments)} instruments)"

    # ---- life

    async def __aenter__(self) -> Self:
        """Opens every line; they come up by themselves. Subscribes to the configuration's symbols.

        Raises:
            StorageError: the folder to record into cannot be written, or holds a recording.
            RuntimeError: it is open already.
        """
        if self._runner is not None:
            raise RuntimeError("this market is open already")
        self._loop = asyncio.get_running_loop()
        if self._record is not None:
            facts = session_facts(self._providers, self._seed)
            self._recording = Recording(self._record, self.instruments, self._machine.lines.names, facts)
        settings = self._config.market
        self._runner = Runner(
            self._machine.lines,
            on_drain=self._watchers.drained,
            on_notices=self._on_notices,
            transport=settings.transport,
            busy_poll=settings.busy_poll,
            clock=self._clock,
            record=None if self._recording is None else self._recording.log,
        )
        self._ended = False
        try:
            await self._runner.start()
            self._states = [""] * len(self._feeds)
            self._on_tick()
            for key in tuple(self._watchers.builders):  # bars that were asked for before
                self._wait_for_bars(key)
            if settings.symbols:
                self._subscribe(settings.symbols)
        except BaseException:  # nobody leaves what was not entered
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes every line, ends every stream and wait, and the recording."""
        await self.close()

    async def close(self) -> None:
        """What leaving the ``async with`` does."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._ended = True
        for timer in (self._tick, *self._timers.values()):
            if timer is not None:
                timer.cancel()
        self._timers.clear()
        try:
            await runner.close()
        finally:
            for wait in self._waits:
                if not wait.future.done():
                    wait.future.set_exception(RuntimeError("the market was closed"))
            for stream in list(self._streams):
                stream.end()
            self._record_batch()
            recording, self._recording = self._recording, None
            if recording is not None:
                recording.close(self._clock())

    def _running(self) -> Runner:
        if self._runner is None:
            raise RuntimeError("the market is not open; use it inside `async with engine.MarketData(...) as market`")
        return self._runner

    # ---- subscriptions

    async def subscribe(self, symbols: str | Iterable[str]) -> None:
        """Wants data of these symbols from every line, and waits until providers have confirmed them.

        Each symbol is confirmed by one line at least, and every line that is logged in has answered. Lines that are
        down subscribe when they are back. Bound the wait with ``asyncio.timeout``.

        Raises:
            ValueError: a symbol that no instrument can have.
            ConfigError: no line can ever give a symbol: keys are refused, or plans lack the feed.
            VenueError: every line refuses a symbol.
        """
        wanted = self._subscribe(_texts(symbols))
        await self._until(lambda: self._confirmed(wanted))

    def _subscribe(self, symbols: Iterable[str]) -> tuple[str, ...]:
        runner = self._running()
        wanted = tuple(dict.fromkeys(symbols))
        scratch = Instruments()
        for symbol in wanted:
            scratch.add(symbol)  # a wrong symbol is told before anything is asked for
        if self._recording is not None:
            self._recording.define(self._clock())
        runner.subscribe(wanted)
        for symbol in wanted:
            self.book(symbol)  # made now, not when its first quote waits
        return wanted

    def unsubscribe(self, symbols: str | Iterable[str]) -> None:
        """Wants no more data of these symbols; their books are empty at once."""
        self._running().unsubscribe(tuple(_texts(symbols)))

    async def ready(self, symbol: str) -> None:
        """Waits for a trusted, two-sided book. Bound it with ``asyncio.timeout``.

        Raises:
            KeyError: the symbol is not subscribed.
            ConfigError, VenueError: no line can ever give it.
        """
        book = self.book(symbol)
        await self._until(lambda: book.two_sided or not self._possible(symbol))

    def _confirmed(self, symbols: Sequence[str]) -> bool:
        if not self._feeds:
            return True
        ready = {line for line, phase in enumerate(self._phases()) if phase == "ready"}
        for symbol in symbols:
            holders = {line for line, held in enumerate(self._held) if symbol in held}
            if not holders:
                self._possible(symbol)
                return False
            if any(symbol not in self._refused[line] for line in ready - holders):
                return False
        return True

    def _possible(self, symbol: str) -> bool:
        """Whether a line may still give the symbol.

        Raises:
            ConfigError, VenueError: why none can.
        """
        errors: list[EngineError] = []
        for line, phase in enumerate(self._phases()):
            error = self._refused[line].get(symbol)
            if error is None and phase == "refused":
                error = self._machine.lines.error(line)
            if error is None:
                return True
            errors.append(error)
        if not errors:
            return True
        if len(errors) == 1:
            raise errors[0]
        text = "; ".join(dict.fromkeys(str(error) for error in errors))
        raise ConfigError(text) if any(isinstance(error, ConfigError) for error in errors) else VenueError(text)

    def _phases(self) -> list[str]:
        lines = self._machine.lines
        return [lines.phase(line) for line in range(len(self._feeds))]

    async def _until(self, done: Callable[[], bool]) -> None:
        """Waits until ``done()``, which is asked whenever something came; what it raises is raised here."""
        if done():
            return
        self._running()
        wait = _Wait(done, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        self._watchers.readers.append(wait)
        try:
            await wait.future
        finally:
            _discard(self._waits, wait)
            _discard(self._watchers.readers, wait)

    def _check_waits(self) -> None:
        for wait in tuple(self._waits):
            wait.offer()

    @property
    def machine(self) -> Machine:
        """The lines, composer and books inside: for tests of your own, to look at and not to touch."""
        return self._machine

    # ---- readings

    def instrument(self, symbol: str) -> Instrument:
        """What is known of a symbol.

        Raises:
            KeyError: it is not subscribed.
        """
        return self.instruments[symbol]

    def book(self, symbol: str) -> BookView:
        """The live book of a symbol: the same object each time, always the newest.

        Raises:
            KeyError: the symbol is not subscribed.
        """
        return self._view(self.instruments[symbol].id)

    def _view(self, number: int) -> BookView:
        view = self._views.get(number)
        if view is None:
            symbol = self.instruments[number].symbol
            machine = self._machine
            view = BookView(symbol, number, machine.composer, machine.books[symbol], machine.groups)
            self._views[number] = view
        return view

    def now(self) -> int:
        """Wall time in ns since the epoch: the only clock a bot reads."""
        return self._clock()

    def health(self) -> dict[str, dict[str, Any]]:
        """By line, and by who pushes: ``state`` and ``reason``, ``age_ns`` since the last byte, ``gaps``, and more.

        ``state`` is "connecting", "live", "mute", "lagging", "quarantined" or "down"; ``alone`` says that no other line
        can reveal this one's faults; ``score`` is 0 to 1. Further: ``role``, ``since``, ``updates``, ``suspect``,
        ``delay_ns``, ``excess_ns``, ``phase``, ``frames``, ``malformed``, ``reconnects``, ``error``, ``decoder``.
        """
        return self._machine.health(self._clock())

    def latency(self) -> dict[str, dict[str, Any]]:
        """By line and hop: count, mean, min, p50, p95, p99, p99_9 and max in ns; and the estimated clock offset.

        Hops: ``received`` (provider's stamp to frame callback), ``decoded``, ``applied``, ``returned`` (frame callback
        to user's callback returned), ``total``.
        """
        lines = self._machine.lines
        return {name: lines.latency(line).report() for line, name in enumerate(lines.names)}

    def stats(self) -> dict[str, int]:
        """Back-pressure and losses.

        Of the runner: ``frames``, ``drains``, ``conflated`` (frames that shared a drain), ``batch_max``,
        ``callback_ns_max``, ``timer_late_ns_max`` (the loop's lag), ``errors``; ``trades_dropped``,
        ``events_dropped`` (nobody took them in time), ``callbacks_stopped``.
        """
        runner = {} if self._runner is None else self._runner.report()
        return runner | self._machine.composer.counts | {"callbacks_stopped": self._watchers.failures}

    def metrics(self) -> str:
        """Health, latency and ``stats`` in the text format that Prometheus reads."""
        families = line_metrics(self.health(), self.latency())
        for name, value in self.stats().items():
            if name.endswith("_ns_max"):
                shown = f"tickforge_{name.removesuffix('_ns_max')}_seconds_max"
                families.append(Metric(shown, "gauge", f"Longest: {name}.", [({}, value / NANOS)]))
            else:
                families.append(Metric(f"tickforge_market_{name}", "gauge", f"Of the market: {name}.", [({}, value)]))
        return to_text(families)

    # ---- hearing of changes

    def on_change(
        self, callback: Callable[[Sequence[BookView]], object], symbols: str | Iterable[str] | None = None
    ) -> Handle:
        """Calls ``callback(books)`` inline with the books whose top, NBBO or state changed.

        Once for all frames that a socket gave at once, so a callback that is slow hears of more at a time.

        Args:
            callback: a plain function. An exception in it is logged and counted, and stops it alone.
            symbols: only of these; all if None.
        """
        return self._watchers.on_change(callback, self._numbers(symbols))

    def on_trade(
        self, callback: Callable[[NDArray[np.void]], object], symbols: str | Iterable[str] | None = None
    ) -> Handle:
        """Calls ``callback(trades)`` likewise with an array of ``engine.EVENT``: prints, and breaks of prints."""
        return self._watchers.on_trade(callback, self._numbers(symbols))

    def _numbers(self, symbols: str | Iterable[str] | None) -> frozenset[int] | None:
        if symbols is None:
            return None
        table = self.instruments
        return frozenset(table[symbol].id if symbol in table else table.add(symbol).id for symbol in _texts(symbols))

    def stream(self, symbols: str | Iterable[str]) -> Stream[Change]:
        """Changes of books, as an asynchronous iterator that conflates to the newest.

        ``missed`` counts what it skipped. It begins with the next change and ends when the market closes.
        """
        numbers = self._numbers(symbols) or frozenset()
        stream: Stream[Change] = Stream()
        reader = ChangeReader(numbers, stream.waker())
        stream.attach(lambda: reader.take(self._view), lambda: _discard(self._watchers.readers, reader))
        self._watchers.readers.append(reader)
        return self._opened(stream)

    def bars(self, symbols: str | Iterable[str], interval: Duration, *, delay: Duration = "250ms") -> Stream[Bar]:
        """Closed bars built from prints, as an asynchronous iterator; they close by the clock, with or without prints.

        Args:
            symbols: one or several.
            interval: length of a bar; intervals start at multiples of it since the epoch.
            delay: how long late prints are waited for.

        Raises:
            ValueError: ``interval`` is not a positive duration.
        """
        numbers = self._numbers(symbols) or frozenset()
        builder = BarBuilder(interval, delay)
        key = (builder.bars.interval_ns, builder.bars.delay_ns)
        builder = self._watchers.builders.setdefault(key, builder)
        stream: Stream[Bar] = Stream()
        reader = BarReader(numbers, stream.waker())
        stream.attach(reader.take, lambda: self._forget_bars(key, reader))
        builder.readers.append(reader)
        if key not in self._timers:
            self._wait_for_bars(key)
        return self._opened(stream)

    def _opened(self, stream: Stream[Any]) -> Stream[Any]:
        """The market ends it when it closes; one that was closed has nothing more to give."""
        self._streams.add(stream)
        if self._ended:
            stream.end()
        return stream

    def _wait_for_bars(self, key: tuple[int, int]) -> None:
        builder = self._watchers.builders.get(key)
        self._timers.pop(key, None)
        if builder is None or self._loop is None or self._runner is None:
            return
        now = self._clock()
        builder.close(now)
        wait = max(builder.next_close(now) - now, 0) / NANOS
        self._timers[key] = self._loop.call_later(wait, self._wait_for_bars, key)

    def _forget_bars(self, key: tuple[int, int], reader: BarReader) -> None:
        builder = self._watchers.builders.get(key)
        if builder is not None:
            _discard(builder.readers, reader)
            if not builder.readers:
                del self._watchers.builders[key]

    def at(self, when: int | str | datetime | time_of_day | np.datetime64, callback: Callable[[], object]) -> Handle:
        """Calls ``callback()`` inline at a time; ``handle.cancel()`` before that prevents it.

        Args:
            when: int ns, an aware datetime, datetime64 (UTC), or "15:55" (New York, today). Instants that have passed
                are called in the next loop iteration.
            callback: a plain function.

        Raises:
            ValueError: no such time, or a time of day that has passed.
        """
        self._running()
        loop, now = asyncio.get_running_loop(), self._clock()
        due = instant_ns(when, now=now, name="when")
        if due < now and not isinstance(when, int | np.integer | np.datetime64) and not hasattr(when, "date"):
            raise ValueError(f"when is {when!r}, which has passed today")
        timers: list[asyncio.TimerHandle] = []
        handle = Handle(lambda _: callback(), None, lambda _: timers[-1].cancel())

        def fire() -> None:
            if (left := due - self._clock()) > 0:  # wall time was set back
                timers.append(loop.call_later(left / NANOS, fire))
            elif self._runner is not None:
                self._watchers.failures += not handle.run(None)
                handle.active = False

        timers.append(loop.call_later(max(due - now, 0) / NANOS, fire))
        return handle

    # ---- data that comes another way

    def push(self, name: str, events: NDArray[np.void], role: Role | None = None) -> None:
        """Takes events from your own socket; books, callbacks and the recording treat them as a line's.

        Args:
            name: whose they are; its role is settled by the first push.
            events: (n,) of ``engine.EVENT`` with ids of ``market.instruments``; each message ends with ``Flag.LAST``.
            role: "depth", "top", "montage", "nbbo" or "prints"; told from the kinds of the first push if None.

        Raises:
            ConfigError: a line has that name.
            ValueError: another array, unknown instruments, or a depth or top without its venue.
        """
        runner, now = self._running(), self._clock()
        self._machine.push(name, events, now, role)
        if self._recording is not None:
            self._recording.push(name, self._machine.roles[name], events, now)
        runner.schedule_drain()

    # ---- what comes

    def _on_notices(self, notices: list[tuple[int, Notice]]) -> None:
        """What providers said."""
        if self._recording is not None:
            self._side += side_rows(notices)
        for line, notice in notices:
            if isinstance(notice, Subscribed):
                self._held[line].update(notice.symbols)
                for symbol in notice.symbols:
                    self._refused[line].pop(symbol, None)
            elif isinstance(notice, Unsubscribed):
                self._held[line].difference_update(notice.symbols)
            elif isinstance(notice, Refused):
                self._warn(line, str(notice.error))
                for symbol in notice.symbols:
                    self._refused[line][symbol] = notice.error
        self._check_waits()

    def _warn(self, line: int, text: str) -> None:
        """Logs what a provider refused; the same again, such as one for each of many symbols, only now and then."""
        said, now = self._said.get(line), self._clock()
        again = said is not None and said[0] == text and abs(now - said[1]) < _SAID_AGAIN_NS
        _LOG.log(logging.DEBUG if again else logging.WARNING, "%s", text)
        if not again:
            self._said[line] = text, now

    def _on_tick(self) -> None:
        """Ten times a second: what lines have come to is logged, and the recording gets its batch."""
        if self._runner is None or self._loop is None:
            return
        self._tick = self._loop.call_later(_TICK_S, self._on_tick)
        for line, name in enumerate(self._machine.lines.names):
            health = self._machine.aggregator.line_health(line)
            if health.state != self._states[line]:
                self._states[line] = health.state
                level = logging.INFO if health.state in {"connecting", "live"} else logging.WARNING
                _LOG.log(level, "%s is %s%s", name, health.state, f": {health.reason}" if health.reason else "")
        self._check_waits()
        self._record_batch()

    def _record_batch(self) -> None:
        """What was composed goes to the tape; it is taken after the end of a recording, too, or it would pile up."""
        if self._recording is not None:
            self._on_notices(self._machine.lines.take_notices())
            side, self._side = self._side, []
            self._recording.drain(self._machine.composer.take_events(), side, self._clock())


class _Wait:
    """Somebody who waits until ``done()``; it is asked at every change of a book, as a reader of changes is told."""

    __slots__ = ("done", "future")

    def __init__(self, done: Callable[[], bool], future: asyncio.Future[None]) -> None:
        self.done, self.future = done, future

    def offer(self, _numbers: Sequence[int] = ()) -> None:
        """Something happened."""
        if self.future.done():
            return
        try:
            if self.done():
                self.future.set_result(None)
        except Exception as error:
            self.future.set_exception(error)


def _texts(symbols: str | Iterable[str]) -> list[str]:
    return [symbols] if isinstance(symbols, str) else list(symbols)


def _discard(many: list[Any], one: Any) -> None:
    if one in many:
        many.remove(one)
