"""The flow that matching is measured on, and that whoever is compared does the same work."""

from collections import Counter

import pytest

from bench import matching
from bench.groups import matching as group
from bench.matching import Flow, Request
from bench.peers import matching_engines
from engine.core.events import Side
from engine.core.orders import Action, ReportKind
from engine.core.units import NANOS

FLOW = matching.flow(4_000, 300)


def left(flow: Flow) -> int:
    """Shares of orders that were not cancelled and did not trade."""
    cancelled = {request.number for request in flow.requests if request.action == Action.CANCEL}
    asked = sum(request.quantity for request in [*flow.resting, *flow.requests] if request.number not in cancelled)
    reports = group.new_venue(flow).apply(matching.records(flow.requests))
    before = int(reports["cumulative"][reports["kind"] == ReportKind.CANCELLED].sum()) // NANOS
    return asked - (2 * flow.traded - before)


def kind(request: Request) -> str:
    if request.action == Action.CANCEL:
        return "cancel"
    return "marketable" if (request.side == Side.BID) == (request.price > 10_000) else "passive"


def test_the_mix_is_what_it_says():
    flow = matching.flow(20_000, 1_000)
    kinds = Counter(map(kind, flow.requests))
    for name, share in (("passive", 0.5), ("cancel", 0.4), ("marketable", 0.1)):
        assert kinds[name] / 20_000 == pytest.approx(share, abs=0.02)
    assert matching.flow(20_000, 1_000) is flow


def test_the_venue_rejects_none_of_it_and_trades_all_of_it():
    venue = group.new_venue(FLOW)
    reports = venue.apply(matching.records(FLOW.requests))
    assert not (reports["kind"] == ReportKind.REJECTED).any()
    fills = reports[reports["kind"] == ReportKind.FILL]
    assert int(fills["quantity"].sum()) == 2 * FLOW.traded * NANOS
    assert venue["A"].total("bid") + venue["A"].total("ask") == left(FLOW)


@pytest.mark.parametrize("build", [group.batched, group.called])
def test_our_rounds_run(build):
    assert build(FLOW).round() > 0


def test_cython_orderbook_ends_with_what_ours_ends_with():
    pytest.importorskip("cython_orderbook", reason="the peer is not installed: pip install '.[bench]'")
    peer = matching_engines.CythonOrderbook(FLOW)
    for _ in range(2):
        matching_engines.run(peer.reset())
        assert peer.left() == left(FLOW)


def test_lightmatchingengine_ends_with_what_ours_ends_with():
    pytest.importorskip("lightmatchingengine", reason="the peer is not installed: pip install '.[bench]'")
    peer = matching_engines.LightMatchingEngine(FLOW)
    for _ in range(2):
        matching_engines.run(peer.reset())
        assert peer.left() == left(FLOW)
