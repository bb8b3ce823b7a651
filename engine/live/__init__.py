"""The engine live: the trader's step on sockets, timers and a journal."""

from __future__ import annotations

from engine.live.engine import Engine
from engine.live.news import Fill, Update
from engine.live.order import ChildView, Order
from engine.live.positions import PnL, Position

__all__ = ["ChildView", "Engine", "Fill", "Order", "PnL", "Position", "Update"]
