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


def left_by_ours(flow: Flow) -> dict[int, int]:
    """Price in ticks -> shares that rest there in the end."""
    venue = group.new_venue(flow)
    venue.apply(matching.records(flow.requests))
    depth = venue["A"].depth(200)
    return {
        round(price * 100): round(shares)
        for side in ("bid", "ask")
        for price, shares in zip(depth[f"{side}_price"].tolist(), depth[f"{side}_quantity"].tolist(), strict=True)
        if shares
    }


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
    asked = sum(request.quantity for request in FLOW.resting)
    asked += sum(request.quantity for request in FLOW.requests)
    cancelled = int(reports["quantity"][reports["kind"] == ReportKind.CANCELLED].sum()) // NANOS
    assert sum(left_by_ours(FLOW).values()) == asked - 2 * FLOW.traded - cancelled


@pytest.mark.parametrize("build", [group.batched, group.called])
def test_our_rounds_run(build):
    assert build(FLOW).round() > 0


def test_cython_orderbook_ends_with_the_book_that_ours_ends_with():
    pytest.importorskip("cython_orderbook", reason="the peer is not installed: pip install '.[bench]'")
    peer = matching_engines.CythonOrderbook(FLOW)
    for _ in range(2):
        matching_engines.run_prepared(peer.prepared())
        assert peer.levels() == left_by_ours(FLOW)
        peer.run_plain(peer.plain())
        assert peer.levels() == left_by_ours(FLOW)


def test_lightmatchingengine_ends_with_the_book_that_ours_ends_with():
    pytest.importorskip("lightmatchingengine", reason="the peer is not installed: pip install '.[bench]'")
    peer = matching_engines.LightMatchingEngine(FLOW)
    for _ in range(2):
        peer.run_plain(peer.plain())
        assert peer.levels() == left_by_ours(FLOW)
