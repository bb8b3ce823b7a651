"""The contract of a broker adapter: commands and bytes in, bytes to send and what the broker said out.

An adapter is one connection's conversation without sockets and clocks. It never guesses: what it cannot know (no answer
in time, a broken line with requests under way, an answer that cannot be read) it reports as `UNKNOWN_OUTCOME`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from engine.core.trading import BrokerFacts, Command, LineState, Report, Snapshot

__all__ = ["NEVER", "BrokerEnd", "BrokerFacts", "BrokerInput", "BrokerProtocol", "Link", "LinkHandler", "Outgoing"]

NEVER: Final = 2**63 - 1  #: a time that does not come

BrokerInput = Report | Snapshot | LineState


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes to send. Brokers with HTTP: ``method`` and ``path`` are set, and ``request`` comes back with the answer."""

    data: bytes
    request: int = 0
    method: str = ""
    path: str = ""


class BrokerProtocol(Protocol):
    """One broker's conversation."""

    @property
    def facts(self) -> BrokerFacts:
        """What the trader must know."""

    @property
    def broken(self) -> str:
        """Why the transport must be dropped although it looks up; "" while it need not."""

    def opened(self, now: int) -> None:
        """The transport is up."""

    def closed(self, reason: str, now: int) -> None:
        """The transport is down: whatever was not answered has an unknown outcome."""

    def encode(self, command: Command, now: int) -> None:
        """Queues the bytes of a command; `Place` and `Replace` carry what the gate approved.

        Never raises for what the broker lacks or a line that is down: the outcome is then told as a report.
        """

    def receive(self, data: bytes, now: int, request: int = 0) -> None:
        """Bytes that arrived, cut anywhere.

        Raises:
            ProtocolError: they make no sense; what was said before them stands. Drop the connection.
        """

    def timer(self, now: int) -> int:
        """Looks at what is due: answers that did not come, heartbeats. Returns when to call again, or `NEVER`."""

    def take_outgoing(self) -> list[Outgoing]:
        """What is to be sent, in order."""

    def take_inputs(self) -> list[BrokerInput]:
        """What the broker said, in order."""


class LinkHandler(Protocol):
    """Who hears of a transport."""

    def opened(self) -> None:
        """It is up."""

    def received(self, data: bytes, request: int = 0) -> None:
        """Bytes arrived."""

    def closed(self, reason: str) -> None:
        """It is down, or could not be opened."""


class Link(Protocol):
    """The transport to one broker; it is opened again after every end."""

    def open(self, handler: LinkHandler) -> None:
        """Begins to connect; the handler hears what became of it, later."""

    def send(self, outgoing: Outgoing) -> None:
        """Sends bytes; on a line that is down they are lost."""

    def close(self) -> None:
        """Ends it; the handler hears nothing more."""


class BrokerEnd(NamedTuple):
    """What an engine needs of one broker."""

    protocol: BrokerProtocol
    link: Link
