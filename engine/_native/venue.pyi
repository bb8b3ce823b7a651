from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from engine._native.book import VenueBook
from engine.core.events import Side
from engine.core.instruments import Instruments
from engine.core.orders import OrderType, TimeInForce

_Records = NDArray[np.void]
_Side = Side | Literal["bid", "ask", "buy", "sell", 1, 2]
_Type = OrderType | Literal["limit", "market", 0, 1]
_TimeInForce = TimeInForce | Literal["day", "gtc", "ioc", "fok", 0, 1, 2, 3]

@final
class Venue:
    def __init__(self, instruments: Instruments, *, venue: str = "", events: bool = False) -> None: ...
    def apply(self, orders: _Records, out: _Records | None = None, /) -> _Records: ...
    def place(
        self,
        instrument: str | int,
        side: _Side,
        price: int,
        quantity: int,
        order_id: int,
        /,
        ts: int = 0,
        display: int = 0,
        owner: int = 0,
        type: _Type = 0,
        tif: _TimeInForce = 0,
        post_only: bool = False,
    ) -> int: ...
    def cancel(self, order_id: int, /, ts: int = 0, owner: int = 0) -> int: ...
    def replace(
        self, order_id: int, price: int, quantity: int, /, ts: int = 0, display: int = 0, owner: int = 0
    ) -> int: ...
    def take_reports(self) -> _Records: ...
    def take_events(self) -> _Records: ...
    def halt(self, instrument: str | int, ts: int) -> None: ...
    def resume(self, instrument: str | int, ts: int) -> None: ...
    def expire(self, ts: int) -> _Records: ...
    def __getitem__(self, symbol: str, /) -> VenueBook: ...
    def __contains__(self, symbol: object, /) -> bool: ...
    @property
    def memory(self) -> int: ...
    @property
    def _address(self) -> int: ...
