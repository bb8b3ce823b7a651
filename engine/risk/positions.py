"""Positions by average cost, in integers: what is held, what it cost, what it earned; and the worst that may come.

Quantities and prices are counts of 1e-9, money counts of 1e-18 (price x quantity, nothing rounded). Only the cost that
leaves with a part of a position is a division; it is rounded down to 1e-18, and cost and realised gain together stay
exact: for every instrument, cash = realised - fees - cost of what is held, to the last count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.units import NANOS
from engine.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.core.trading import OrderSide

__all__ = ["Execution", "Position", "Positions"]

_NO_ORDERS: Final = "instrument {}: {} open orders would hold {}; never less than 0"


class Execution(NamedTuple):
    """One fill as the books hold it: ``quantity`` is signed, a sale negative. ``fee`` is a count of 1e-9."""

    key: str
    quantity: int
    price: int
    fee: int


class _Basis:
    """What a row of fills comes to. ``cost`` is what was paid for what is held, negative for a short position."""

    __slots__ = ("cost", "fees", "quantity", "realised")

    def __init__(self, quantity: int = 0, cost: int = 0) -> None:
        self.quantity, self.cost = quantity, cost
        self.realised = self.fees = 0

    def add(self, fill: Execution) -> None:
        """One fill more."""
        self.fees += fill.fee * NANOS
        held, change = self.quantity, fill.quantity
        if held * change < 0:  # some or all of what is held is closed
            closed = -held if abs(change) >= abs(held) else change
            leaving = -(self.cost * closed // held)
            self.realised -= closed * fill.price + leaving
            self.cost -= leaving
            self.quantity += closed
            change -= closed
        self.quantity += change
        self.cost += change * fill.price


class Position:
    """One instrument's state; read only for others than `Positions`."""

    __slots__ = (
        "_executions",
        "_marked",
        "_start",
        "buying",
        "cost",
        "fees",
        "mark",
        "quantity",
        "realised",
        "selling",
    )

    def __init__(self) -> None:
        self.quantity = 0  #: signed
        self.cost = 0  #: money paid for what is held
        self.realised = 0  #: money, fees not in it
        self.fees = 0  #: money
        self.mark = 0  #: price it is valued at; 0 before the first
        self.buying = 0  #: what live buys may still trade
        self.selling = 0
        self._start = (0, 0)
        self._marked = False  # whether the mark is a market price, not the start's average
        self._executions: dict[str, Execution] = {}

    @property
    def average_cost(self) -> int:
        """Price a unit was bought or sold short at, rounded half up; 0 when flat."""
        return (2 * self.cost + self.quantity) // (2 * self.quantity) if self.quantity else 0

    @property
    def unrealised(self) -> int:
        """Money that closing at the mark would gain; 0 before the first mark."""
        return self.quantity * self.mark - self.cost if self.mark else 0

    @property
    def cash(self) -> int:
        """Money that came in since the start."""
        return self.realised - self.fees - self.cost + self._start[1]

    @property
    def executions(self) -> tuple[Execution, ...]:
        """Every fill that counts, in the order they were told."""
        return tuple(self._executions.values())


class Positions:
    """Every instrument's position, and their totals, kept as things happen: no reading scans.

    ``gross``: each instrument at its worst side, |position| once all orders of one side had filled, at its mark.
    ``long``: money held (short counts against it) once every open buy had filled; ``short``: the reverse for sells.
    ``profit``: realised and unrealised, less fees, since the start or ``begin_day``. All money.
    """

    def __init__(self) -> None:
        self._rows: dict[int, Position] = {}
        self.gross = 0
        self.long = 0
        self.short = 0
        self._value = 0
        self._day = 0

    def __getitem__(self, instrument: int) -> Position:
        row = self._rows.get(instrument)
        return row if row is not None else Position()

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __contains__(self, instrument: object) -> bool:
        return instrument in self._rows

    @property
    def profit(self) -> int:
        """Money gained since the start or ``begin_day``."""
        return self._value - self._day

    def begin_day(self) -> None:
        """``profit`` counts from here."""
        self._day = self._value

    def begin(self, instrument: int, quantity: int, average_price: int) -> None:
        """What was held before the first fill. Its gain counts from the first market price on.

        Raises:
            InternalError: fills are known already.
        """
        row = self._row(instrument)
        if row._executions:
            raise InternalError(f"instrument {instrument}: a start of {quantity} after {len(row._executions)} fills")
        row._start = (quantity, quantity * average_price)
        if not row._marked:
            self._leave(row)
            row.mark = average_price
            self._enter(row)
        self._recount(row)

    def fill(self, instrument: int, key: str, side: OrderSide, quantity: int, price: int, fee: int = 0) -> None:
        """A fill. ``key`` names the execution: broker and execution id; ``fee`` is a count of 1e-9.

        Raises:
            InternalError: a key that was given before, or a quantity that is not positive.
        """
        row = self._row(instrument)
        if key in row._executions or quantity <= 0:
            raise InternalError(f"instrument {instrument}: fill {key!r} of {quantity} is known or not positive")
        fill = Execution(key, quantity if side == "buy" else -quantity, price, fee)
        row._executions[key] = fill
        if not row._marked:
            self.mark(instrument, price)
        self._leave(row)
        basis = _Basis(row.quantity, row.cost)
        basis.add(fill)
        row.realised += basis.realised
        row.fees += basis.fees
        row.quantity, row.cost = basis.quantity, basis.cost
        self._enter(row)

    def bust(self, instrument: int, key: str) -> None:
        """The fill did not happen: everything after it is computed anew.

        Raises:
            InternalError: no such fill.
        """
        row = self._row(instrument)
        if row._executions.pop(key, None) is None:
            raise InternalError(f"instrument {instrument}: no fill {key!r} to take back")
        self._recount(row)

    def correct(self, instrument: int, key: str, quantity: int, price: int, fee: int | None = None) -> None:
        """The fill had another quantity, price or fee; it keeps its place among the others.

        Raises:
            InternalError: no such fill, or a quantity that is not positive.
        """
        row = self._row(instrument)
        known = row._executions.get(key)
        if known is None or quantity <= 0:
            raise InternalError(f"instrument {instrument}: no fill {key!r} to correct to {quantity}")
        signed = quantity if known.quantity > 0 else -quantity
        row._executions[key] = Execution(key, signed, price, known.fee if fee is None else fee)
        self._recount(row)

    def work(self, instrument: int, side: OrderSide, change: int) -> None:
        """By how much what live orders may still trade grew, or shrank.

        Raises:
            InternalError: less than nothing would be at work.
        """
        row = self._row(instrument)
        mark, up, down = row.mark, row.quantity + row.buying, row.selling - row.quantity
        worst = up if up > down else down  # noqa: FURB136 - a call less than max()
        if side == "buy":
            row.buying += change
            up += change
            self.long += change * mark
        else:
            row.selling += change
            down += change
            self.short += change * mark
        if row.buying < 0 or row.selling < 0:
            raise InternalError(_NO_ORDERS.format(instrument, side, min(row.buying, row.selling)))
        self.gross += ((up if up > down else down) - worst) * mark  # noqa: FURB136

    def mark(self, instrument: int, price: int) -> None:
        """Values an instrument at a price: the mid, or the last print. Unknown instruments are passed over."""
        row = self._rows.get(instrument)
        if row is None or price <= 0:
            return
        if not row._marked:
            row._marked = True
            self._day += row._start[0] * (price - row.mark)
        if row.mark == 0:
            self._leave(row)
            row.mark = price
            self._enter(row)
        elif change := price - row.mark:  # what depends on the mark is proportional to it
            row.mark = price
            up, down = row.quantity + row.buying, row.selling - row.quantity
            self.gross += max(up, down) * change
            self.long += up * change
            self.short += down * change
            self._value += row.quantity * change

    def _row(self, instrument: int) -> Position:
        row = self._rows.get(instrument)
        if row is None:
            row = self._rows[instrument] = Position()
        return row

    def _recount(self, row: Position) -> None:
        self._leave(row)
        basis = _Basis(*row._start)
        for fill in row._executions.values():
            basis.add(fill)
        row.quantity, row.cost = basis.quantity, basis.cost
        row.realised, row.fees = basis.realised, basis.fees
        self._enter(row)

    def _leave(self, row: Position) -> None:
        """Takes a row out of the totals before it changes."""
        mark, up, down = row.mark, row.quantity + row.buying, row.selling - row.quantity
        self.gross -= (max(down, up)) * mark
        self.long -= up * mark
        self.short -= down * mark
        self._value -= row.realised - row.fees + row.unrealised

    def _enter(self, row: Position) -> None:
        """Puts it back."""
        mark, up, down = row.mark, row.quantity + row.buying, row.selling - row.quantity
        self.gross += (max(down, up)) * mark
        self.long += up * mark
        self.short += down * mark
        self._value += row.realised - row.fees + row.unrealised
