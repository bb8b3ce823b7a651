"""Holds a composed book against the truth behind what each source has delivered: slow, and without the composer's code.

Who leads is the composer's to say (health decides whom to believe); what a leader's data makes of the book is said here
once more, by DESIGN section 4: a venue's row is its DEPTH leader's book, else its TOP leader's top; the NBBO slot
stands where its venue has neither. The truth is compared, not the frame, so a leader whose frames lie is found out. One
exception: what a lying DEPTH line says far from the touch nobody else can tell, so the book of a depth that lied is
left out until it was built anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.core.events import Side
from engine.core.venues import venue_name
from engine.sim.truth_log import LineTruth

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from engine.core.instruments import Instruments
    from engine.sim.market import Market, Top
    from engine.sim.truth_log import TruthLog

__all__ = ["CheckedLine", "Checker"]

Levels = dict[Side, dict[int, int]]  # quantity by price, counts of 1e-9
_LIES: Final = frozenset({"wrong_scale", "crossed"})  # faults that change what a frame says


class Composed(Protocol):
    """What is asked of ``engine._native.compose.Composer``."""

    def leader(self, instrument: int, role: Any, venue: int = 0) -> int:
        """The source that leads, -1 for none."""

    def nbbo(self, instrument: int) -> Any:
        """The leader's slot as a ``Quote``."""


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A line of the client: its name in the simulation, its source in the composer, and what it carries."""

    name: str
    source: int
    role: str
    venue: int = 0


class Checker:
    """Compares, symbol by symbol.

    Args:
        truth: the simulation's log of what was sent.
        composer, books: what is checked.
        instruments: ids of the symbols.
        lines: every line that feeds the composer.
    """

    def __init__(
        self, truth: TruthLog, composer: Composed, books: Any, instruments: Instruments, lines: Sequence[CheckedLine]
    ) -> None:
        self._log = truth
        self._composer = composer
        self._books = books
        self._instruments = instruments
        self._lines = list(lines)
        self._truths = {line.name: LineTruth() for line in lines}
        self._places = {line.name: (0, 0) for line in lines}  # connections opened, frames of the last one
        self._lying: set[tuple[str, str]] = set()  # (line, symbol) whose last frame lied
        self._lied: set[str] = set()  # depth lines whose book holds what a lying frame said; nobody else knows better

    def follow(self, line: str, opens: int, frames: int) -> set[str]:
        """Takes what a line got: ``frames`` of its ``opens``-th connection; the symbols they told of."""
        truth, (opened, taken) = self._truths[line], self._places[line]
        touched: set[str] = set()
        connections = self._log.connections(line)
        if opens > len(connections):  # a socket for datagrams is up before anybody sends to it
            return touched
        if opens != opened:
            touched.update(truth.tops, truth.levels)
            truth.reset()
            self._lied.discard(line)
            taken = 0
        if opens:
            log = self._log.frames(connections[opens - 1])
            for number in range(taken, min(frames, len(log))):
                truth.receive(log[number])
                if any(change.clear for change in log[number].changes):
                    self._lied.discard(line)
                told = {change.symbol for change in log[number].changes}
                pairs = {(line, symbol) for symbol in told}
                if log[number].fault in _LIES:
                    self._lied.add(line)
                    self._lying |= pairs
                else:
                    self._lying -= pairs
                touched |= told
        self._places[line] = (opens, frames)
        return touched - {""}

    def disagreements(self, symbols: Iterable[str], alone: Container[str] = ()) -> list[str]:
        """Where the book is not what the leaders' truths compose to, in words.

        ``alone``: names of lines that no other could contradict; while such a line lies, what it leads is not compared.
        """
        found: list[str] = []
        for symbol in symbols:
            instrument = self._instruments[symbol].id
            tops = {line.name: self._truths[line.name].top(symbol) for line in self._lines}
            levels = {line.name: self._truths[line.name].levels.get(symbol, _no_levels()) for line in self._lines}
            expected = self._composition(instrument, tops, levels)
            exempt = {
                line.venue
                for line in self._lines
                if line.name in self._lied and self._composer.leader(instrument, "depth", line.venue) == line.source
            }
            lies = {line.name for line in self._lines if line.name in alone and (line.name, symbol) in self._lying}
            exempt |= {
                line.venue
                for line in self._lines
                if line.name in lies and self._composer.leader(instrument, line.role, line.venue) == line.source
            }
            if any(line.name in lies and line.role == "nbbo" for line in self._lines):
                continue  # its slot may name any venue
            found += self._compare(symbol, expected, self._leading("nbbo", instrument, tops), exempt)
        return found

    def alone(self, symbol: str, live: Container[str]) -> set[str]:
        """Names of the lines beside which no other ``live`` one with quotes has told of the symbol.

        A depth that waits for its snapshot tells nothing.
        """
        instrument = self._instruments[symbol].id
        telling = {
            line.name
            for line in self._lines
            if line.role != "prints" and line.name in live and self._has_told(line, symbol)
            if line.role != "depth" or self._composer.leader(instrument, "depth", line.venue) == line.source
        }
        return {line.name for line in self._lines if not telling - {line.name}}

    def at_rest(self, market: Market, symbols: Iterable[str], live: Container[str] | None = None) -> list[str]:
        """The same against the market itself, for when nothing is on its way.

        What no line leads is a disagreement, too; given the names of the ``live`` lines, only where one of them has
        told of the symbol.
        """
        found: list[str] = []
        for symbol in symbols:
            instrument = self._instruments[symbol].id
            tops = {
                line.name: market.top(symbol, line.venue) if line.role == "top" else market.nbbo(symbol)
                for line in self._lines
            }
            levels = {
                line.name: market.book(symbol, line.venue).levels if line.role == "depth" else _no_levels()
                for line in self._lines
            }
            found.extend(
                f"{symbol}: nobody leads {line.role} {line.venue or ''}".rstrip()
                for line in self._lines
                if (live is None or (line.name in live and self._has_told(line, symbol)))
                and self._composer.leader(instrument, line.role, line.venue) < 0
            )
            expected = self._composition(instrument, tops, levels)
            found += self._compare(symbol, expected, self._leading("nbbo", instrument, tops))
        return sorted(set(found))

    def _has_told(self, line: CheckedLine, symbol: str) -> bool:
        truth = self._truths[line.name]
        return symbol in (truth.levels if line.role == "depth" else truth.tops)

    def _leading(self, role: str, instrument: int, tops: Mapping[str, Top]) -> Top | None:
        leader = self._composer.leader(instrument, role)
        return next((tops[line.name] for line in self._lines if line.role == role and line.source == leader), None)

    def _composition(self, instrument: int, tops: Mapping[str, Top], levels: Mapping[str, Levels]) -> dict[int, Levels]:
        rows: dict[int, Levels] = {}
        for role in ("depth", "top"):
            for line in self._lines:
                leads = line.role == role and self._composer.leader(instrument, role, line.venue) == line.source
                if leads and line.venue not in rows:
                    rows[line.venue] = levels[line.name] if role == "depth" else _levels_of(tops[line.name])
        direct = frozenset(rows)
        nbbo = self._leading("nbbo", instrument, tops)
        for side, slot in () if nbbo is None else ((Side.BID, nbbo.bid), (Side.ASK, nbbo.ask)):
            if slot.quantity and slot.venue not in direct:
                rows.setdefault(slot.venue, _no_levels())[side][slot.price] = slot.quantity
        return rows

    def _compare(
        self, symbol: str, expected: Mapping[int, Levels], nbbo: Top | None, exempt: Iterable[int] = ()
    ) -> list[str]:
        view = self._books[symbol]
        found = []
        names = {*view.venue_names, *(venue_name(venue) for venue in expected)}
        rows = {venue_name(venue): levels for venue, levels in expected.items()}
        for name in sorted(names - {venue_name(venue) for venue in exempt}):
            levels = rows.get(name, _no_levels())
            depth = view.venue_depth(name, max(len(levels[Side.BID]), len(levels[Side.ASK])) + 1)
            for side, field in ((Side.BID, "bid"), (Side.ASK, "ask")):
                prices = sorted(levels[side], reverse=side is Side.BID)
                columns = depth[f"{field}_price"].tolist(), depth[f"{field}_quantity"].tolist()
                shown = [level for level in zip(*columns, strict=True) if level[1]]
                if shown != [(price / 1e9, levels[side][price] / 1e9) for price in prices]:
                    found.append(
                        f"{symbol} {name} {field}: {_text(shown)}; the truth is {_truth(levels[side], prices)}"
                    )
        if nbbo is not None:
            quote = self._composer.nbbo(self._instruments[symbol].id)
            for slot, field in ((nbbo.bid, "bid"), (nbbo.ask, "ask")):
                shown_slot = (getattr(quote, field), getattr(quote, f"{field}_quantity"))
                if slot.quantity and shown_slot != (slot.price / 1e9, slot.quantity / 1e9):
                    found.append(f"{symbol} NBBO {field}: {shown_slot}; the truth is {slot}")
        return found


def _no_levels() -> Levels:
    return {Side.BID: {}, Side.ASK: {}}


def _levels_of(top: Top) -> Levels:
    return {
        Side.BID: {top.bid.price: top.bid.quantity} if top.bid.quantity else {},
        Side.ASK: {top.ask.price: top.ask.quantity} if top.ask.quantity else {},
    }


def _text(shown: list[tuple[float, float]]) -> str:
    return " ".join(f"{quantity:g}@{price:g}" for price, quantity in shown[:3]) or "nothing"


def _truth(levels: Mapping[int, int], prices: Sequence[int]) -> str:
    return _text([(price / 1e9, levels[price] / 1e9) for price in prices])
