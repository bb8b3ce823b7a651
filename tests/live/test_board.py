import asyncio
from types import SimpleNamespace

import pytest

from engine.core import trading
from engine.core.trading import OrderState, Submit
from engine.live.board import Board
from engine.live.order import Order

ASKED = Submit(1, 0, "AAPL", "buy", 5, {}, key="k")


def news(sequence, parent, state, order=""):
    return trading.Update(sequence, parent, order, state, None, "", 0)


def test_an_order_found_at_a_broker_gets_a_handle_and_waits_end():
    parents = {1: SimpleNamespace(asked=ASKED, is_open=True, state=OrderState.NEW)}
    board = Board(SimpleNamespace(trader=SimpleNamespace(parents=parents)))

    async def main():
        board.news([news(1, 1, OrderState.NEW)])
        order = board.orders[1]
        assert isinstance(order, Order)
        assert board.keys == {"k": order}
        waiting = board.final(order)
        board.news([news(2, 1, OrderState.FILLED, "u-1-1")])
        assert not waiting.done()
        board.news([news(3, 1, OrderState.FILLED)])
        await waiting
        left = board.final(order)
        board.close()
        with pytest.raises(RuntimeError, match="closed"):
            await left
        assert board.last == 3

    asyncio.run(main())
