"""The transport to a simulated broker in this process, on whatever loop runs: real or virtual."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.sim.market import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.brokers.protocol import LinkHandler, Outgoing
    from engine.sim.broker_line import BrokerLine

__all__ = ["BrokerLink"]


class BrokerLink:
    """Carries bytes between an adapter and a `BrokerLine` (see `engine.brokers.protocol.Link`).

    Args:
        line: the broker's end.
        clock: wall time, ns.
    """

    def __init__(self, line: BrokerLine, clock: Callable[[], int]) -> None:
        self._line, self._clock = line, clock
        self._handler: LinkHandler | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = NEVER
        self._busy = False
        line.stirred = self._wait

    def open(self, handler: LinkHandler) -> None:
        """Connects in the next iteration of the loop."""
        self._handler = handler
        asyncio.get_running_loop().call_soon(self._connect, handler)

    def send(self, outgoing: Outgoing) -> None:
        """Gives bytes to the line."""
        self._line.receive(outgoing.data, self._clock())

    def close(self) -> None:
        """Ends the connection."""
        self._handler = None
        self._line.disconnect()

    def _connect(self, handler: LinkHandler) -> None:
        if handler is not self._handler:
            return
        if self._line.connect(self._clock()):
            handler.opened()
        else:
            self._handler = None
            handler.closed("no answer")

    def _wait(self) -> None:
        """The line has something to do at another time than before."""
        due = self._line.next_time
        if self._busy or due >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = asyncio.get_running_loop().call_later(max(due - self._clock(), 0) / 1e9, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at, self._busy = None, NEVER, True
        try:
            self._line.advance(self._clock())
            for data in self._line.take_outgoing():
                if self._handler is not None:
                    self._handler.received(data)
            if self._line.dropped:
                self._line.dropped = False
                handler, self._handler = self._handler, None
                if handler is not None:
                    handler.closed("the broker's line broke")
        finally:
            self._busy = False
        self._wait()
