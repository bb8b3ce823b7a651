"""What the trader knows of one broker's line: whether it may be used, how often, and what is strange behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from engine.core.trading import BrokerFacts, Holding
    from engine.execution.child import Child

__all__ = ["Line"]

_MINUTE: Final = 60_000_000_000


class Line:
    """A broker as it looks from here.

    Attributes:
        ready: it may get new orders: its line is up, and a complete snapshot was digested since it came up.
        open: children that are not proven over, by their first id.
        broken: symbols of which more traded than was ordered; they get no new order here any more.
        ready_from: a snapshot that was asked for before this time does not make it ready.
        first_ts, agreed_ts: when the first and the last complete snapshot were asked for; 0 before.
        doubts: symbols whose position there is not what our fills make of it: (theirs, ours).
    """

    def __init__(self, facts: BrokerFacts) -> None:
        self.facts = facts
        self.name = facts.name
        self.state: Literal["up", "down", "suspect"] = "down"
        self.reason = "not connected yet"
        self.ready = False
        self.open: dict[str, Child] = {}
        self.broken: dict[str, str] = {}
        self.asked_ts = self.agreed_ts = self.first_ts = 0
        self.awaiting = False
        self.ready_from = 0
        self.net: dict[str, int] = {}  # what our fills make of each symbol's position
        self.changes: dict[str, int] = {}  # how often they changed it
        self._baseline: dict[str, int] | None = None
        self.doubts: dict[str, tuple[int, int]] = {}
        self._strangers: dict[str, str] = {}  # symbol -> an order there that is not ours
        self._asked_changes: dict[str, int] = {}
        self._level = self._capacity = max(1, facts.requests_per_minute // 6) * _MINUTE  # ten seconds' worth
        self._level_ts = 0

    # ---- the request budget: a token is a minute of counts, as many as requests_per_minute come back each ns

    def has_tokens(self, now: int, part: int = 0) -> bool:
        """Whether a request fits the budget; ``part`` is how many tenths of it must be left for others."""
        if now > self._level_ts:
            earned = (now - self._level_ts) * self.facts.requests_per_minute
            self._level, self._level_ts = min(self._capacity, self._level + earned), now
        return self._level >= (self._capacity * part // 10 or _MINUTE)

    def spend(self) -> None:
        """A request was sent; cancels are never held back, so the level may fall below nothing."""
        self._level -= _MINUTE

    # ---- snapshots and positions

    def asks(self, now: int) -> None:
        """A snapshot was asked for."""
        self.asked_ts, self.awaiting = now, True
        self._asked_changes = dict(self.changes)

    def moved(self, symbol: str, quantity: int) -> None:
        """A fill of ours, or one that was taken back, signed."""
        self.net[symbol] = self.net.get(symbol, 0) + quantity
        self.changes[symbol] = self.changes.get(symbol, 0) + 1

    def compare(self, holdings: tuple[Holding, ...]) -> bool:
        """Holds a complete snapshot's positions against ours; the first one ever is what we begin with.

        What does not agree takes no new order until a snapshot agrees. A symbol that traded since the snapshot was
        asked for is not judged. Returns whether another is needed soon: a first disagreement may be a fill on its way.
        """
        stated = {holding.symbol: holding.quantity for holding in holdings}
        if self._baseline is None:
            symbols = {**stated, **self.net}
            self._baseline = {symbol: stated.get(symbol, 0) - self.net.get(symbol, 0) for symbol in symbols}
            return False
        again = False
        for symbol in {**stated, **self._baseline, **self.net, **self.doubts}:
            if self.changes.get(symbol, 0) != self._asked_changes.get(symbol, 0):
                again = again or symbol in self.doubts
                continue
            ours = self._baseline.get(symbol, 0) + self.net.get(symbol, 0)
            found = stated.get(symbol, 0), ours
            if found[0] == ours:
                self.doubts.pop(symbol, None)
            else:
                again = again or self.doubts.get(symbol) != found
                self.doubts[symbol] = found
        return again

    def strangers(self, found: dict[str, str]) -> None:
        """Symbols with live orders that are not ours, after a complete snapshot."""
        self._strangers = found

    def stranger(self, symbol: str, order: str) -> None:
        """An order that is not ours was heard of; the next snapshot says whether it lives."""
        self._strangers.setdefault(symbol, order)

    def quarantine(self, symbol: str) -> str:
        """Why a symbol gets no new order here: something is there that we cannot explain; "" where it may."""
        if not (self.broken or self.doubts or self._strangers):
            return ""
        if symbol in self.broken:
            return self.broken[symbol]
        if symbol in self.doubts:
            stated, ours = self.doubts[symbol]
            return f"its position is {stated}e-9 there, {ours}e-9 by our fills"
        return f"order {self._strangers[symbol]} is not ours" if symbol in self._strangers else ""

    def health(self) -> dict[str, Any]:
        """For people."""
        return {
            "state": self.state,
            "reason": self.reason,
            "ready": self.ready,
            "open_orders": len(self.open),
            "quarantined": {
                symbol: self.quarantine(symbol) for symbol in {**self.broken, **self.doubts, **self._strangers}
            },
        }
