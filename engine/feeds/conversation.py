"""What every adapter keeps of its connection's conversation, and says in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engine.core.config import MASK, masked_url
from engine.core.events import NO_INSTRUMENT
from engine.core.venues import PROVIDERS
from engine.errors import ConfigError, EngineError, Throttled
from engine.feeds.protocol import (
    NEVER,
    Channel,
    Connected,
    LineDecoder,
    LineFacts,
    Notice,
    Ready,
    Refused,
    Retry,
    Subscribed,
    Unexpected,
    Unsubscribed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from engine.core.instruments import Instruments

__all__ = ["Closing", "Conversation", "SideFields", "closings"]

#: What every ``SideMessage`` starts with.
SideFields = tuple[int, int, int, int, str | None, int, int]
_TEXT: Final = 200  # characters of a provider's text that are kept
_UNEXPECTED: Final = 16  # notices of that kind between two calls of take_notices
_STEP_NS: Final = 10_000_000_000  # how long a provider may take to answer


#: What the end of a connection means: its error, of text and code, when to try again, and the least wait.
Closing = tuple[Callable[[str, int], EngineError], Retry, int]


def closings(again: int) -> dict[int, Closing]:
    """HTTP status of a refused handshake -> what it means; ``again``: the least wait after one too many, ns."""
    key: Closing = (lambda said, _: ConfigError(f"{said}; check the key"), "never", 0)
    return {401: key, 403: key, 429: (lambda said, code: Throttled(said, code, again), "slow", again)}


class Conversation:
    """What every adapter keeps: what is wanted, what is held, what is to be sent and told. Adapters derive from it.

    As it stands it is a line that asks for nothing: what is wanted comes as long as the transport is up.

    Args:
        name, provider, url, headers, facts: see ``FeedProtocol``.
        decoder: of this connection's frames.
        instruments: where symbols get their ids.
        wire: the provider's spelling of a canonical symbol; ValueError where it has none.
        house: the canonical spelling of a provider's symbol.
        secrets: what never appears in a notice, even if the provider says it.
    """

    def __init__(
        self,
        name: str,
        provider: str,
        *,
        url: str,
        facts: LineFacts,
        decoder: LineDecoder,
        instruments: Instruments,
        wire: Callable[[str], str],
        house: Callable[[str], str],
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str | None] = (),
    ) -> None:
        self.name = name
        self.provider = provider
        self.url = url
        self.shown_url = masked_url(url)
        self.headers: Mapping[str, str] = headers or {}
        self.facts = facts
        self.decoder = decoder
        self.counts: Counter[str] = Counter()
        self._instruments = instruments
        self._wire = wire
        self._house = house
        self._secrets = tuple(secret for secret in secrets if secret)
        self._wanted: dict[str, str] = {}  # canonical symbol -> wire symbol
        self._canonical: dict[str, str] = {}  # and back
        self._held: set[str] = set()
        self._outgoing: list[bytes | str] = []
        self._notices: list[Notice] = []
        self._unexpected = 0  # of them
        self._due = NEVER  # when the provider's answer is overdue
        self._ending = False  # why the connection ends has been told
        self._open = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.shown_url!r}, {len(self.subscribed)} subscribed)"

    @property
    def subscribed(self) -> frozenset[str]:
        """Canonical symbols whose data comes now."""
        return frozenset(self._held & self._wanted.keys())

    def opened(self, now: int) -> None:
        """The transport is up, and with it the line."""
        self._open, self._ending = True, False
        self.tell(Connected())
        self.tell(Ready())
        self.take(list(self._wanted))

    def closed(self, code: int | None, reason: str, now: int) -> None:
        """The transport is down."""
        self._open = False
        self._held.clear()

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Wants data of canonical symbols."""
        new = self.want(symbols)
        if self._open:
            self.take(new)

    def take(self, symbols: Sequence[str]) -> None:
        """These come now, though nobody confirms them."""
        self._held.update(symbols)
        if symbols:
            self.tell(Subscribed(tuple(symbols), confirmed=False))

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Wants no more data of them."""
        gone = self.forget(symbols)
        self._held.difference_update(gone)
        if self._open and gone:
            self.tell(Unsubscribed(tuple(gone), confirmed=False))

    def timer(self, now: int) -> int:
        """Nothing is ever due: silence is judged by ``LineFacts.silent_after``."""
        return NEVER

    def take_outgoing(self) -> list[bytes | str]:
        """Frames to send, in order."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def take_notices(self) -> list[Notice]:
        """What happened since the last call, in order."""
        notices, self._notices = self._notices, []
        self._unexpected = 0
        return notices

    def want(self, symbols: Sequence[str]) -> list[str]:
        """Adds symbols to what is wanted, with ids in the decoder; gives the new ones that the provider can have."""
        limit = self.facts.symbol_limit
        new, over = [], []
        for symbol in dict.fromkeys(symbols):
            if symbol in self._wanted:
                continue
            if limit is not None and len(self._wanted) >= limit:
                over.append(symbol)
                continue
            if symbol not in self._instruments:
                self._instruments.add(symbol)
            try:
                wire = self._wire(symbol)
            except ValueError as error:
                self.refuse(ConfigError(f"{self.name}: {error}"), "never", close=False, symbols=(symbol,))
                continue
            self._wanted[symbol] = wire
            self._canonical[wire] = symbol
            self.decoder.map(wire, self._instruments[symbol].id)
            new.append(symbol)
        if over:
            many = ConfigError(f"{self.name}: {over[0]} is one too many; {limit} symbols is the limit of this line")
            self.refuse(many, "never", close=False, symbols=tuple(over))
        return new

    def forget(self, symbols: Sequence[str]) -> list[str]:
        """Takes symbols from what is wanted; their later messages are of no instrument."""
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in self._wanted]
        for symbol in gone:
            wire = self._wanted.pop(symbol)
            del self._canonical[wire]
            self.decoder.map(wire, NO_INSTRUMENT)
        return gone

    def tell(self, notice: Notice) -> None:
        """Queues a notice."""
        self._notices.append(notice)

    def say(self, text: object) -> str:
        """A provider's text as it may be shown: short, printable, without our secrets."""
        shown = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * _TEXT])
        for secret in self._secrets:
            shown = shown.replace(secret, MASK)
        return shown[:_TEXT]

    def refuse(
        self,
        error: EngineError,
        retry: Retry,
        *,
        close: bool,
        after: int = 0,
        symbols: tuple[str, ...] = (),
        channel: Channel | None = None,
    ) -> None:
        """Queues a ``Refused``."""
        self._ending = self._ending or close
        self.counts["refused"] += 1
        self.tell(Refused(error, retry, close, after, symbols, channel))

    def ended(self, closings: Mapping[int, Closing], code: int | None, reason: str) -> None:
        """Tells what the end of a connection means, where it means more than that."""
        if code is not None and code in closings and not self._ending:
            error, retry, after = closings[code]
            said = f"{self.name}: closed with {code} {self.say(reason)}".rstrip()
            self.refuse(error(said, code), retry, close=True, after=after)

    def unexpected(self, message: object) -> None:
        """Counts a message that is not understood, and tells its beginning: of many at once, of the first."""
        self.counts["unexpected"] += 1
        self._unexpected += 1
        if self._unexpected > _UNEXPECTED:
            return
        shown = message[: 4 * _TEXT].decode("utf-8", "replace") if isinstance(message, bytes) else message
        self.tell(Unexpected(self.say(shown)))

    def expect_answer(self, now: int) -> None:
        """The provider has to answer within 10 s from now."""
        self._due = now + _STEP_NS

    def symbol_of(self, wire: str) -> str:
        """The canonical symbol of a wire symbol, wanted or not."""
        return self._canonical.get(wire) or self._house(wire)

    def side_fields(self, ts_event: int, now: int, wire: str, sequence: int = 0, venue: int = 0) -> SideFields:
        """The fields every ``SideMessage`` starts with, for a message about a wire symbol."""
        symbol = self.symbol_of(wire) or None
        known = symbol is not None and symbol in self._instruments
        number = self._instruments[symbol].id if known and symbol else NO_INSTRUMENT
        return (ts_event, now, sequence, number, symbol, venue, PROVIDERS[self.provider])
