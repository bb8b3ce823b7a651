from types import SimpleNamespace

from engine.core.units import NANOS
from engine.live.positions import pnl, position
from engine.risk.positions import Positions


def trader():
    positions = Positions()
    positions.fill(0, "a", "buy", 100 * NANOS, 10 * NANOS, NANOS // 2)
    positions.fill(0, "b", "sell", 40 * NANOS, 12 * NANOS, NANOS // 2)
    positions.mark(0, 11 * NANOS)
    return SimpleNamespace(positions=positions, traded={"AAPL": SimpleNamespace(index=0)})


def test_a_position_in_the_numbers_people_use():
    found = position(trader(), "AAPL")
    assert [str(value) for value in found] == ["AAPL", "60", "10", "80", "60", "1", "11"]


def test_nothing_held_is_zeros():
    assert position(trader(), "MSFT").quantity == 0
    assert position(trader(), "MSFT").average_cost is None


def test_profit_over_all():
    assert [str(value) for value in pnl(trader())] == ["80", "60", "1", "139", "660"]
