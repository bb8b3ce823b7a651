"""Positions and profit in the numbers people use."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.core.units import shortest

if TYPE_CHECKING:
    from engine.trader import Trader

__all__ = ["PnL", "Position", "pnl", "position"]

_MONEY: Final = -18  #: money inside is a count of 1e-18


class Position(NamedTuple):
    """What we hold of an instrument; ``quantity`` is negative when short.

    ``average_cost`` is of what is held now, None when flat. ``mark`` is the price ``unrealised`` is told at, None where
    no price is known. ``fees`` are positive when paid, and in neither profit.
    """

    symbol: str
    quantity: Decimal
    average_cost: Decimal | None
    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    mark: Decimal | None


class PnL(NamedTuple):
    """Profit: ``total`` is realised and unrealised less fees. ``gross`` is the money at stake, long and short added."""

    realised: Decimal
    unrealised: Decimal
    fees: Decimal
    total: Decimal
    gross: Decimal


def _money(count: int) -> Decimal:
    exact = Decimal(count).scaleb(_MONEY).normalize()
    return exact.quantize(Decimal(1)) if exact == exact.to_integral_value() else exact


def position(trader: Trader, symbol: str) -> Position:
    """What a trader holds of a symbol."""
    traded = trader.traded.get(symbol)
    zero = Decimal(0)
    if traded is None or traded.index not in trader.positions:
        return Position(symbol, zero, None, zero, zero, zero, None)
    row = trader.positions[traded.index]
    return Position(
        symbol,
        shortest(row.quantity),
        shortest(row.average_cost) if row.quantity else None,
        _money(row.realised),
        _money(row.unrealised),
        _money(row.fees),
        shortest(row.mark) if row.mark else None,
    )


def pnl(trader: Trader) -> PnL:
    """Over everything a trader holds."""
    rows = [trader.positions[traded.index] for traded in trader.traded.values() if traded.index in trader.positions]
    realised, unrealised = sum(row.realised for row in rows), sum(row.unrealised for row in rows)
    fees = sum(row.fees for row in rows)
    return PnL(
        _money(realised),
        _money(unrealised),
        _money(fees),
        _money(realised + unrealised - fees),
        _money(trader.positions.gross),
    )
