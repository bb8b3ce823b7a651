"""The engine: orders of one process, worked by the trader's step on whatever loop runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from engine.brokers.manager import BrokerManager
from engine.brokers.protocol import BrokerEnd
from engine.core.broker_config import Broker
from engine.core.calendar import session_at
from engine.core.config import Config
from engine.core.trading import (
    CancelAll,
    Halt,
    OrderSide,
    OrderState,
    Release,
    Restart,
    Session,
    Submit,
)
from engine.core.units import NANOS, to_nanos
from engine.errors import ConfigError, EngineError, StorageError
from engine.execution.timers import NEVER
from engine.live.board import Board
from engine.live.brokers import broker_ends
from engine.live.driver import Driver
from engine.live.halt import HaltFile
from engine.live.order import Order, stepped
from engine.live.positions import PnL, Position, pnl, position
from engine.live.recovery import recovered
from engine.live.tops import Tops, listing
from engine.risk.limits import Limits
from engine.storage.journal import Journal
from engine.trader import Trader, TraderSetup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

    from engine.brokers.protocol import BrokerInput
    from engine.core.broker_config import Trading
    from engine.core.instruments import Instrument
    from engine.core.trading import Input, Intent, Refusal
    from engine.core.units import Number
    from engine.execution.planner import Algo
    from engine.feeds.book_view import BookView
    from engine.feeds.stream import Stream
    from engine.live.callbacks import Callback
    from engine.live.news import Update
    from engine.market import MarketData
    from engine.storage.journal import Durability
    from engine.storage.journal_file import JournalFile

__all__ = ["Engine"]

_LOG: Final = logging.getLogger("engine.live")
_TICK_S: Final = 0.1  #: between two looks at the halt file, and two groups of what is journalled without a hurry
_READY_S: Final = 10.0  #: entering waits so long for brokers to be reconciled
_LEAVE_S: Final = 10.0  #: leaving waits so long for cancels to be confirmed
_PAPER_LEVELS: Final = 10
OnExit = Literal["cancel", "keep"]


class Engine:
    """Orders: use it as ``async with Engine(market, "paper") as trading``. One event loop owns it.

    Args:
        market: where prices come from; open.
        brokers: names ("paper"), ``engine.Broker`` values, or those of a simulation; in order of preference. Or an
            ``engine.Config``, which then gives journal, ``durable``, ``on_exit`` and limits, too.
        journal: a path; None keeps nothing, for tests.
        durable: "disk": no order leaves before its journal survives a loss of power; "os": a kill of the process.
        limits: of the gate.
        check: your own, last in the gate: ``check(intent)`` returns a ``Refusal`` or None.
        on_exit: what leaving does with open orders: "cancel" them and wait, or "keep" them at the brokers.
        seed: of what algorithms draw; a journal keeps the first one.
        clock: wall time in ns; the market's by default.

    Raises:
        ConfigError: a broker or setting is not known.
    """

    def __init__(
        self,
        market: MarketData,
        brokers: Config | str | Broker | BrokerEnd | Iterable[str | Broker | BrokerEnd] = "paper",
        *,
        journal: str | os.PathLike[str] | JournalFile | None = None,
        durable: Durability = "disk",
        limits: Limits | None = None,
        check: Callable[[Intent], Refusal | None] | None = None,
        on_exit: OnExit = "cancel",
        seed: int | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if isinstance(brokers, Config):
            trading = brokers.trading
            journal, durable, on_exit, limits = trading.journal, trading.durable, trading.on_exit, _limits(trading)
            brokers = brokers.brokers or "paper"
        if on_exit not in {"cancel", "keep"}:
            raise ConfigError(f"on_exit is {on_exit!r}; expected 'cancel' or 'keep'")
        if durable not in {"disk", "os"}:
            raise ConfigError(f"durable is {durable!r}; expected 'disk' or 'os'")
        self.market = market
        self._clock = market.now if clock is None else clock
        one = isinstance(brokers, str | Broker | BrokerEnd)
        named: Any = [brokers] if one else brokers
        self._ends, self._papers = broker_ends(named, market.instruments, self._clock)
        self._limits = Limits() if limits is None else limits
        self._check, self._on_exit = check, on_exit
        self._seed = secrets.randbits(32) if seed is None else seed
        self._journal_at, self._durable = journal, durable
        self._journal: Journal | None = None
        self._driver: Driver | None = None
        self._manager: BrokerManager | None = None
        self._halt_file: HaltFile | None = None
        self._tops = Tops()
        self._listed: set[int] = set()
        self.board = Board(self)
        self._kept: list[tuple[int, Order, asyncio.Future[None]]] = []
        self._handles: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._soon = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        self._reading = -1  # the journal's descriptor, while the loop looks at it
        self._session_end = NEVER
        self._task: asyncio.Task[None] | None = None
        self._next = 1

    def __repr__(self) -> str:
        names = ", ".join(end.protocol.facts.name for end in self._ends)
        return f"Engine([{names}], {len(self.board.orders)} orders)"

    # ---- life

    async def __aenter__(self) -> Self:
        """Opens the journal, finds itself in it, connects every broker and reconciles with it.

        A broker that does not answer within 10 s gets no orders until it does.

        Raises:
            StorageError: the journal cannot be opened, is damaged, or belongs to another process.
            RuntimeError: it is open already.
        """
        if self._loop is not None:
            raise RuntimeError("this engine is open already")
        self._loop, self._process = asyncio.get_running_loop(), os.getpid()
        try:
            trader = self._recover()
            self._manager = BrokerManager(self._ends, self._heard, clock=self._clock, seed=self._seed)
            self._driver = Driver(trader, self._journal, self._manager.send, self.board.news, self._clock)
            await self._begin(trader)
        except BaseException:
            await self._close()
            raise
        return self

    def _recover(self) -> Trader:
        """The trader that goes on where the journal ends."""
        facts = tuple(end.protocol.facts for end in self._ends)
        if self._journal_at is None:
            return Trader(TraderSetup(secrets.token_hex(16), facts, self._limits, self._seed), self._check)
        if self._durable == "os" and (bare := [one.name for one in facts if not one.client_order_ids]):
            raise ConfigError(f"durable is 'os', but {bare[0]} keeps no client order ids; expected 'disk'")
        journal = self._journal = Journal.open(self._journal_at, durable=self._durable)
        # what a loss of power takes of an "os" journal must have shown up at the brokers before anything new goes there
        longest = max((one.answer_ns + one.visibility_delay_ns for one in facts), default=0)
        settle = longest if self._durable == "os" else 0
        setup = TraderSetup(journal.uid.hex(), facts, self._limits, self._seed, settle_ns=settle)
        if isinstance(self._journal_at, str | os.PathLike):
            self._halt_file = HaltFile(self._journal_at)
        return recovered(journal, setup, self._check, self._papers, self._clock())

    async def _begin(self, trader: Trader) -> None:
        loop, market, journal = asyncio.get_running_loop(), self.market, self._journal
        self._next = trader.next_parent
        self.board.begin(trader.sequence)
        for parent in trader.parents.values():
            self.board.add(Order(self, parent.asked))
        self._put(Restart())
        self._look_at_halt()
        await self._new_session()
        self._handles = [market.on_change(self._changed), market.on_trade(self._traded)]
        if journal is not None and (descriptor := journal.fileno()) is not None:
            try:
                loop.add_reader(descriptor, self._durable_now)
                self._reading = descriptor
            except NotImplementedError:  # a loop in virtual time: syncing takes no time there
                self._driver_now().inline = True
        if self._manager is not None:
            self._manager.start()
        self._turn()
        self._handles.append(loop.call_later(_TICK_S, self._tick))
        await self._watch_open_orders()
        deadline = loop.time() + _READY_S
        while loop.time() < deadline and not self._reconciled():
            await asyncio.sleep(0.01)
        for name, health in self.health()["brokers"].items():
            if not health["ready"]:
                _LOG.warning("%s: not reconciled yet (%s); no order goes there until it is", name, health["state"])

    async def _watch_open_orders(self) -> None:
        """Market data of what the journal has open. Brokers are reconciled without it, so nothing waits for it long."""
        symbols = sorted({order.symbol for order in self.board.orders.values() if order.is_open})
        if not symbols:
            return
        try:
            async with asyncio.timeout(_READY_S):
                await self.market.subscribe(symbols)
        except (TimeoutError, EngineError) as error:
            _LOG.error("no market data of open orders in %s: %s", ", ".join(symbols), error or "no answer")
        for symbol in symbols:
            if symbol in self.market.instruments:
                self._list(self.market.instrument(symbol))
        self._turn()

    def _reconciled(self) -> bool:
        return all(broker["ready"] for broker in self.health()["brokers"].values())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancels what is open and waits until brokers have confirmed it (``on_exit``), then closes everything."""
        try:
            if self._on_exit == "cancel" and self._loop is not None and self._driver is not None:
                await self._cancel_and_wait()
        finally:
            await self._close()

    async def _cancel_and_wait(self) -> None:
        self.cancel_all()
        still = [order for order in self.board.orders.values() if order.is_open]
        if still:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await asyncio.gather(*(order.done() for order in still))
        for order in self.board.orders.values():
            if order.is_open:
                _LOG.error("%r could not be proven over; the journal knows it, look at the broker", order)

    async def close(self) -> None:
        """What leaving the ``async with`` does."""
        await self.__aexit__(None, None, None)

    async def _close(self) -> None:
        loop, self._loop = self._loop, None
        for handle in self._handles:
            handle.cancel()
        for running in (self._timer, self._task):
            if running is not None:
                running.cancel()
        if self._manager is not None:
            self._manager.close()
        journal, self._journal = self._journal, None
        if journal is not None:
            if loop is not None and self._reading >= 0:
                loop.remove_reader(self._reading)
                self._reading = -1
            with contextlib.suppress(StorageError):
                journal.close()
        for _, _, future in self._kept:
            if not future.done():
                future.set_exception(RuntimeError("the engine was closed"))
                future.exception()
        self.board.close()

    # ---- the pump

    @property
    def trader(self) -> Trader:
        """The pure step inside: for tests of your own, to look at and not to touch."""
        return self._driver_now().trader

    def _driver_now(self) -> Driver:
        if self._driver is None:
            raise RuntimeError("the engine is not open; use it inside `async with engine.Engine(...) as trading`")
        return self._driver

    def request(self, one: Input) -> None:
        """Puts a request in line; it acts before anything else happens on the loop.

        Raises:
            RuntimeError: the engine is not open, or this is a fork of its process.
        """
        if self._loop is None or self._driver is None:
            raise RuntimeError("the engine is not open; use it inside `async with engine.Engine(...) as trading`")
        if os.getpid() != self._process:
            raise RuntimeError("this engine belongs to the process that opened it")
        self._driver.put(one)
        if not self._soon:
            self._soon = True
            self._loop.call_soon(self._turn_soon)

    def _put(self, one: Input) -> None:
        if self._driver is not None:
            self._driver.put(one)

    def _turn_soon(self) -> None:
        self._soon = False
        self._turn()

    def _turn(self) -> None:
        driver, loop = self._driver, self._loop
        if driver is None or loop is None:
            return
        driver.turn()
        self._check_kept()
        due = driver.trader.next_timer
        if due != self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = due
            wait = (due - driver.now()) / NANOS
            self._timer = loop.call_later(max(wait, 0), self._fire) if wait < 1e9 else None

    def _fire(self) -> None:
        self._timer, self._timer_at = None, 0
        self._turn()

    def _heard(self, inputs: list[BrokerInput]) -> None:
        for one in inputs:
            self._put(one)
        self._turn()

    def _changed(self, books: Sequence[BookView]) -> None:
        driver = self._driver
        if driver is None:
            return
        watched = driver.trader.watched
        for book in books:
            levels = watched.get(book.id)
            if levels is not None:
                driver.put(self._tops.top(book, levels, driver.shift))
        for paper in self._papers:
            resting = paper.matching.instruments
            paper.show(self._clock(), [self._shown(book) for book in books if book.id in resting or book.id in watched])
        self._turn()

    def _shown(self, book: BookView) -> tuple[int, Any, Any, bool]:
        bids, asks = book.ladder(_PAPER_LEVELS)
        return book.id, bids, asks, book.state == "live"

    def _traded(self, trades: NDArray[np.void]) -> None:
        self._tops.trades(trades)
        for paper in self._papers:
            paper.trades(self._clock(), trades)

    def _durable_now(self) -> None:
        if self._journal is not None and self._driver is not None:
            self._journal.acknowledge()
            self._turn()
            self._driver.settle()
            self._check_kept()

    def _tick(self) -> None:
        if self._loop is None or self._driver is None:
            return
        self._handles[-1] = self._loop.call_later(_TICK_S, self._tick)
        self._look_at_halt()
        self._turn()
        if self._clock() >= self._session_end and (self._task is None or self._task.done()):
            self._task = self._loop.create_task(self._new_session())
        self._driver.flush()
        self._driver.settle()
        self._check_kept()

    def _look_at_halt(self) -> None:
        if self._halt_file is not None and (change := self._halt_file.look(self.trader.halted)) is not None:
            self._put(change)

    # ---- instruments and hours

    def _list(self, instrument: Instrument) -> None:
        """The trader may trade it from now on."""
        if instrument.id not in self._listed:
            self._listed.add(instrument.id)
            self._put(listing(instrument))
        elif instrument.id in self.trader.watched:
            return  # the trader knows its book
        book = self.market.book(instrument.symbol)
        for paper in self._papers:
            paper.show(self._clock(), [self._shown(book)])
        self._put(self._tops.top(book, _PAPER_LEVELS, self._driver_now().shift))

    async def _new_session(self) -> None:
        """Tells the hours that count; the calendar is loaded beside the loop, for that takes half a second."""
        if self._limits.session or self._limits.daily_loss is not None:
            hours = await asyncio.get_running_loop().run_in_executor(None, session_at, self._clock())
            self._session_end = hours.close
            self._put(Session(*hours))

    # ---- orders

    def submit(
        self,
        symbol: str,
        side: OrderSide,
        quantity: Number,
        algo: Algo,
        *,
        key: str | None = None,
        tag: str | None = None,
        brokers: str | Iterable[str] | None = None,
        decision_price: Number | None = None,
    ) -> Order:
        """A new order, at once; inside callbacks too.

        Args:
            symbol: subscribed in the market.
            side: "buy" or "sell".
            quantity: a multiple of the instrument's lot.
            algo: ``engine.Limit``, ``Immediate``, ``TWAP``.
            key: the same key is the same order, also after a restart.
            tag: a label of yours.
            brokers: only these, in this order.
            decision_price: when you decided; for transaction cost analysis.

        Raises:
            ValueError: a wrong side, quantity, price or time.
            KeyError: the symbol is not subscribed.
            ConfigError: a broker that this engine does not have.
            RuntimeError: the engine is not open.
        """
        for name, value in (("key", key), ("tag", tag)):
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{name} is {value!r}; expected text")
        if key is not None and key in self.board.keys:
            return self.board.keys[key]
        if side not in {"buy", "sell"}:
            raise ValueError(f"side is {side!r}; expected 'buy' or 'sell'")
        instrument = self.market.instrument(symbol)
        count = stepped(quantity, instrument.lot, "quantity", "lot")
        algo = algo.resolve(self._clock(), instrument.time_zone)
        algo.check(count, to_nanos(instrument.lot), to_nanos(instrument.tick))
        asked = Submit(
            max(self._next, self.trader.next_parent),
            instrument.id,
            symbol,
            side,
            count,
            algo.to_dict(),
            key,
            tag,
            self._named(brokers),
            0 if decision_price is None else to_nanos(decision_price, "decision_price"),
        )
        self._list(instrument)
        self.request(asked)
        self._next = asked.parent + 1
        order = Order(self, asked)
        self.board.add(order)
        return order

    def _named(self, brokers: str | Iterable[str] | None) -> tuple[str, ...]:
        names = () if brokers is None else (brokers,) if isinstance(brokers, str) else tuple(brokers)
        known = [end.protocol.facts.name for end in self._ends]
        for name in names:
            if name not in known:
                raise ConfigError(f"broker is {name!r}; expected some of {', '.join(known)}")
        return names

    def cancel_all(self, tag: str | None = None) -> None:
        """Cancels every open order, or those of a tag."""
        self.request(CancelAll(tag))

    def halt(self, reason: str = "") -> None:
        """The kill switch: no new order and nothing that increases one leaves any more; cancels do. Until `resume`."""
        self.request(Halt(str(reason)))

    def resume(self) -> None:
        """Lets the kill switch go; a halt file is removed too."""
        if self._halt_file is not None:
            self._halt_file.remove()
        self.request(Release())

    def orders(self, open: bool | None = None, tag: str | None = None) -> list[Order]:
        """Parent orders, those found in the journal too, oldest first.

        Args:
            open: only those that are, or are not.
            tag: only of this one.
        """
        return [
            order
            for order in self.board.orders.values()
            if (open is None or order.is_open == open) and (tag is None or order.tag == tag)
        ]

    async def done(self, tag: str | None = None) -> list[Order]:
        """Waits until every order, or those of a tag, is over."""
        found = self.orders(tag=tag)
        for order in found:
            await order.done()
        return found

    # ---- news

    def updates(self, since: int | None = None, tag: str | None = None) -> Stream[Update]:
        """What happens to orders, never conflated, as an asynchronous iterator that ends when the engine closes.

        Args:
            since: after the update of this sequence; from now on if None.
            tag: only of orders with this one.
        """
        return self.board.updates(since, tag)

    def on_update(self, callback: Callable[[Sequence[Update]], object], tag: str | None = None) -> Callback:
        """Calls ``callback(updates)`` inline with what a step led to; ``.cancel()`` ends it. It may submit.

        An exception in it is logged and ends that callback.
        """
        return self.board.on_update(callback, tag)

    # ---- waiting

    def kept(self, order: Order) -> asyncio.Future[None]:
        """Done when the gate has seen the order and the journal has it."""
        if self._loop is None:
            raise RuntimeError("the engine was closed")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._kept.append((-1, order, future))
        self._check_kept()
        return future

    def _check_kept(self) -> None:
        driver, journal = self._driver, self._journal
        if not self._kept or driver is None:
            return
        waiting = []
        for sequence, order, future in self._kept:
            if future.done():
                continue
            if order.id not in driver.trader.parents:
                waiting.append((sequence, order, future))
                continue
            wanted = driver.last if sequence < 0 else sequence
            kept = journal is None or (journal.durable >= wanted and not driver.failed)
            if kept or order.state is OrderState.REJECTED:
                future.set_result(None)
            elif driver.failed:
                future.set_exception(StorageError(driver.failed))
            else:
                waiting.append((wanted, order, future))
        self._kept = waiting

    # ---- readings

    def position(self, symbol: str) -> Position:
        """What we hold of an instrument; zeros where there is nothing."""
        return position(self.trader, symbol)

    def positions(self) -> dict[str, Position]:
        """By symbol, those that ever changed."""
        trader = self.trader
        return {
            symbol: position(trader, symbol) for symbol, one in trader.traded.items() if one.index in trader.positions
        }

    def pnl(self) -> PnL:
        """Over all instruments, since the journal began."""
        return pnl(self.trader)

    def stats(self) -> dict[str, int]:
        """Counts: ``steps``, ``commands``, ``orders``, ``open``, ``updates``, ``callbacks_stopped``."""
        driver = self._driver
        return {
            "steps": 0 if driver is None else driver.steps,
            "commands": 0 if driver is None else driver.commands,
            "orders": len(self.board.orders),
            "open": sum(order.is_open for order in self.board.orders.values()),
            "updates": self.board.last,
            "callbacks_stopped": self.board.failures,
        }

    def health(self) -> dict[str, Any]:
        """``halted`` (the reason, or ""), ``brokers``, orders ``in_doubt``, ``orphans``, and the ``journal``."""
        journal = self._journal
        found = self.trader.health()
        found["journal"] = None if journal is None else {"durable": journal.durable, "failed": journal.failed}
        return found


def _limits(trading: Trading) -> Limits:
    try:
        return Limits.from_dict(dict(trading.limits))
    except ValueError as error:
        raise ConfigError(f"limits: {error}") from None
