"""Pumps broker adapters: links, timers and reconnects around them. The same code runs live and in virtual time."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from engine.brokers.protocol import NEVER
from engine.core.backoff import Backoff, BackoffPolicy
from engine.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from engine.brokers.protocol import BrokerInput, BrokerProtocol, Link
    from engine.core.trading import Command

__all__ = ["BrokerManager"]

_LOG: Final = logging.getLogger("engine.brokers")
_POLICY: Final = BackoffPolicy(base=100_000_000, cap=5_000_000_000)  # failover is promised within 5 s


class BrokerManager:
    """Every broker of an engine.

    Args:
        brokers: adapters and the transport of each, in order of preference.
        on_inputs: called with what brokers said, as soon as it is known and in that order.
        clock: wall time, ns.
        seed: of the jitter of reconnects.
    """

    def __init__(
        self,
        brokers: Sequence[tuple[BrokerProtocol, Link]],
        on_inputs: Callable[[list[BrokerInput]], None],
        *,
        clock: Callable[[], int],
        seed: int,
    ) -> None:
        self._ends = {
            protocol.facts.name: _End(protocol, link, on_inputs, clock, Backoff(_POLICY, seed, number))
            for number, (protocol, link) in enumerate(brokers)
        }

    def start(self) -> None:
        """Opens every line; they come up by themselves."""
        loop = asyncio.get_running_loop()
        for end in self._ends.values():
            end.start(loop)

    def send(self, commands: Iterable[Command]) -> None:
        """Sends each command to its broker, in order."""
        touched: dict[_End, None] = {}
        for command in commands:
            end = self._ends[_broker_of(command)]
            end.encode(command)
            touched[end] = None
        for end in touched:
            end.pump()

    def close(self) -> None:
        """Closes every line; what was under way has an unknown outcome that nobody hears of."""
        for end in self._ends.values():
            end.close()


def _broker_of(command: Command) -> str:
    order = getattr(command, "order", None)
    name: str = command.broker if order is None else order.intent.broker  # type: ignore[union-attr]
    return name


class _End:
    """One broker: its adapter, its link, its timer."""

    def __init__(
        self,
        protocol: BrokerProtocol,
        link: Link,
        on_inputs: Callable[[list[BrokerInput]], None],
        clock: Callable[[], int],
        backoff: Backoff,
    ) -> None:
        self._protocol, self._link, self._on_inputs, self._clock = protocol, link, on_inputs, clock
        self._backoff = backoff
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._opened_at = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._link.open(self)

    def close(self) -> None:
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
        self._link.close()

    def encode(self, command: Command) -> None:
        self._protocol.encode(command, self._clock())

    # ---- the link speaks

    def opened(self) -> None:
        self._opened_at = self._clock()
        self._protocol.opened(self._opened_at)
        self.pump()

    def received(self, data: bytes, request: int = 0) -> None:
        try:
            self._protocol.receive(data, self._clock(), request)
        except ProtocolError as error:
            self._drop(str(error))
            return
        self.pump()

    def closed(self, reason: str) -> None:
        now = self._clock()
        if self._opened_at:
            self._backoff.served(now - self._opened_at)
        self._opened_at = 0
        self._protocol.closed(reason, now)
        if self._loop is not None:
            delay = self._backoff.delay()
            _LOG.warning("%s: %s; again in %.1f s", self._protocol.facts.name, reason, delay / 1e9)
            self._loop.call_later(delay / 1e9, self._again)
        self.pump()

    def _again(self) -> None:
        if self._loop is not None:
            self._link.open(self)

    def _drop(self, reason: str) -> None:
        self._link.close()
        self.closed(reason)

    # ---- the pump

    def pump(self) -> None:
        """Sends what is to be sent, says what was said, and waits for what is due."""
        if self._loop is None:
            return
        due = self._protocol.timer(self._clock())
        if self._protocol.broken and self._opened_at:
            self._drop(self._protocol.broken)
            return
        for outgoing in self._protocol.take_outgoing():
            self._link.send(outgoing)
        self._wait(due)
        inputs = self._protocol.take_inputs()
        if inputs:
            self._on_inputs(inputs)

    def _wait(self, due: int) -> None:
        if due == self._timer_at or self._loop is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, due
        if due != NEVER:
            self._timer = self._loop.call_later(max(due - self._clock(), 0) / 1e9, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, NEVER
        self.pump()
