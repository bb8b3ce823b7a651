"""The trader a journal leads to, and what brokers without a memory of their own must be told of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from engine.execution.codec import SETUP, VERSION
from engine.trader import encode_setup, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.brokers.paper import PaperBroker
    from engine.core.trading import Fill, Intent, OrderState, Refusal
    from engine.execution.child import Child
    from engine.storage.journal import Journal
    from engine.trader import Trader, TraderSetup

__all__ = ["recovered"]

_LOG: Final = logging.getLogger("engine.live")


def recovered(
    journal: Journal,
    setup: TraderSetup,
    check: Callable[[Intent], Refusal | None] | None,
    papers: Sequence[PaperBroker],
    now: int,
) -> Trader:
    """The trader that goes on with a journal, new or not; its setup is appended.

    Raises:
        StorageError: a record cannot be read.
    """
    trader, rerun = recover(journal.records(), setup, check)
    if rerun.first_difference:
        _LOG.warning("%s: written by another version: %s", journal.name, rerun.first_difference)
    if rerun.batches:
        _LOG.info("%s: %d batches, %d commands", journal.name, rerun.batches, rerun.commands)
    journal.append(SETUP, encode_setup(setup), now, version=VERSION)
    for paper in papers:
        name = paper.broker.facts.name
        children = {id(one): one for one in trader.children.values() if one.broker == name}
        paper.restore([_as_known(one) for one in children.values()], now)
    return trader


def _as_known(child: Child) -> tuple[Intent, OrderState, tuple[Fill, ...]]:
    """A child as the journal knows it, for a broker that has no memory of its own."""
    intent = child.intent._replace(client_order_id=child.id, quantity=child.quantity, price=child.price)
    return intent, child.state, tuple(child.fills.values())
