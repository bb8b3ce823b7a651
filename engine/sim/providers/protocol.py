"""What every simulated provider is: a state machine over connections, told of bytes, times and what the market did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from engine.core.units import NANOS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.core.events import Side
    from engine.sim.history import Window
    from engine.sim.market import Tick, Top

__all__ = [
    "Change",
    "Close",
    "Conditions",
    "Outbox",
    "Output",
    "ProviderServer",
    "Refused",
    "Request",
    "Send",
    "decimal_text",
]


@dataclass(frozen=True, slots=True)
class Request:
    """A WebSocket handshake: path with query, and headers by lower-case name. Datagram lines have neither."""

    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # keys are in them


class Refused(NamedTuple):
    """A handshake answered by an HTTP status; ``retry_after`` in seconds, 0 for none."""

    status: int
    reason: str
    retry_after: int = 0


class Change(NamedTuple):
    """What a frame tells of the market, as it truly is; faults change the frame, never this.

    ``top`` is the NBBO or the top of ``venue`` (0: NBBO). ``levels`` are what now stands at prices of ``venue``. With
    ``clear`` what was told before of ``symbol`` ("" is all) is void. ``sequence`` orders changes of one symbol.
    """

    symbol: str
    sequence: int
    venue: int = 0
    top: Top | None = None
    levels: tuple[tuple[Side, int, int], ...] = ()  # side, price, quantity
    clear: bool = False
    prints: int = 0


class Send(NamedTuple):
    """A frame to one connection: text, or bytes of a binary frame or datagram. ``market``: it carries market data."""

    connection: int
    data: str | bytes
    changes: tuple[Change, ...] = ()
    market: bool = False


class Close(NamedTuple):
    """A connection to be closed: with a close frame of that code, or with code None by just dropping it."""

    connection: int
    code: int | None
    reason: str = ""


Output = Send | Close


@dataclass(slots=True)
class Conditions:
    """What faults do to a provider as a whole, for as long as they last."""

    auth_refusal: str = ""  #: "key" or "plan"
    slot_taken: bool = False  #: somebody else holds the connections of every key
    throttled: bool = False


class ProviderServer(Protocol):
    """One provider's service. Times are ns since epoch; nothing here reads a clock or opens anything.

    ``connections`` are numbered by the caller, from 1, never again.
    """

    conditions: Conditions

    @property
    def next_timer(self) -> int:
        """When `timer` wants to be called, or NEVER."""

    def connect(self, connection: int, request: Request, now: int) -> Refused | None:
        """A client's handshake; None accepts it."""

    def receive(self, connection: int, data: str | bytes, now: int) -> None:
        """A whole message of a client."""

    def disconnected(self, connection: int, now: int) -> None:
        """The connection is gone, whoever ended it."""

    def publish(self, ticks: Sequence[tuple[Tick, Tick]], now: int) -> None:
        """What the market did, as (what is true, what this line is to tell): equal unless a fault changes it."""

    def publish_bars(self, span: int, bars: Sequence[tuple[str, Window, Window]], now: int) -> None:
        """A second or minute (``span`` in ns) is over; of symbols with trades in it: (symbol, that span, the day)."""

    def halt(self, symbols: Sequence[str], now: int, *, halted: bool) -> None:
        """Trading in these symbols is halted, or resumes; told where the provider tells such things."""

    def intrude(self, now: int) -> None:
        """Another client with everybody's key connects."""

    def kill_slow(self, connection: int, now: int) -> None:
        """Ends a connection whose client reads too slowly, in the provider's way."""

    def send_huge(self, size: int, now: int) -> None:
        """Sends everybody a well-formed frame of about that many bytes which tells nothing."""

    def timer(self, now: int) -> None:
        """Time has come for something."""

    def take_output(self) -> list[Output]:
        """Frames and ends of connections since the last call, in order."""


class Outbox:
    """What a server wants done, in order."""

    def __init__(self) -> None:
        self._output: list[Output] = []

    def send(
        self, connection: int, data: str | bytes, changes: tuple[Change, ...] = (), *, market: bool = False
    ) -> None:
        """A frame."""
        self._output.append(Send(connection, data, changes, market))

    def close(self, connection: int, code: int | None, reason: str = "") -> None:
        """An end, with a close frame or with code None without."""
        self._output.append(Close(connection, code, reason))

    def take(self) -> list[Output]:
        """Everything since the last call."""
        output, self._output = self._output, []
        return output


def decimal_text(count: int) -> str:
    """A count of 1e-9 as a JSON number in the fewest digits."""
    sign, count = ("-", -count) if count < 0 else ("", count)
    whole, part = divmod(count, NANOS)
    return f"{sign}{whole}.{part:09d}".rstrip("0") if part else f"{sign}{whole}"


MAX_FRAME_MESSAGES: Final = 250  #: messages of one frame; more go into the next
AUTH_TIMEOUT_NS: Final = 10 * NANOS
