"""The pure step that decides everything: what happened in, commands out."""

from __future__ import annotations

from engine.trader.rerun import Rerun, encode_setup, recover, replay_journal
from engine.trader.setup import TraderSetup, Turn
from engine.trader.step import Trader

__all__ = ["Rerun", "Trader", "TraderSetup", "Turn", "encode_setup", "recover", "replay_journal"]
