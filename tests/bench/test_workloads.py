"""The streams have the shape that is claimed for them."""

import numpy as np
import pytest

from bench import workloads
from engine.core.events import Side


def replayed(stream):
    """(event, level sets of its book before it) for each update; sets are keyed by side."""
    books = {}
    for timed, events in ((False, stream.snapshot), (True, stream.updates)):
        for event in events:
            book = books.setdefault((int(event["instrument"]), int(event["venue"])), {Side.BID: set(), Side.ASK: set()})
            side, price = book[Side(event["side"])], int(event["price"])
            if timed:
                yield event, book
            if event["quantity"]:
                side.add(price)
            else:
                assert price in side
                side.remove(price)
            assert not book[Side.BID] or not book[Side.ASK] or max(book[Side.BID]) < min(book[Side.ASK])


@pytest.mark.parametrize("symbols", [1, 20])
def test_touch_is_near_the_touch_and_never_crosses(symbols):
    near = total = 0
    for event, book in replayed(workloads.touch(20_000, symbols)):
        levels = book[Side(event["side"])]
        best = max(levels) if event["side"] == Side.BID else min(levels)
        near += abs(int(event["price"]) - best) <= 5 * workloads.CENT
        total += 1
    assert total == 20_000
    assert 0.78 <= near / total <= 0.85
    assert set(workloads.touch(20_000, symbols).updates["instrument"].tolist()) == set(range(symbols))


def test_sparse_spans_the_range_and_never_crosses():
    stream = workloads.sparse(5_000)
    sizes = [len(book[Side(event["side"])]) for event, book in replayed(stream)]
    assert 10 <= min(sizes) <= max(sizes) <= 61
    prices = np.concatenate([stream.snapshot["price"], stream.updates["price"]])
    assert (prices.min(), prices.max()) == (5 * workloads.CENT, 700_000 * 10**9)


def test_batches_of_a_venue_keep_its_order():
    stream = workloads.touch(20_000)
    batches = workloads.by_venue(stream, 100)
    assert all(len(batch) == 100 and len(set(batch["venue"].tolist())) == 1 for batch in batches)
    for venue in range(1, 5):
        joined = np.concatenate([batch for batch in batches if batch["venue"][0] == venue])
        original = stream.updates[stream.updates["venue"] == venue]
        assert (joined == original[: len(joined)]).all()
        assert len(original) - len(joined) < 100


def test_recorded_data_is_absent_or_must_be_there(monkeypatch, tmp_path):
    monkeypatch.delenv("TICKFORGE_DATA", raising=False)
    with pytest.raises(workloads.AbsentDataError, match="TICKFORGE_DATA is not set"):
        workloads.recorded("lobster", "x")
    monkeypatch.setenv("TICKFORGE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="expected lobster/x"):
        workloads.recorded("lobster", "x")


def test_bitcoin_diffs_follow_the_snapshot(data):
    data("binance_l2")
    stream = workloads.bitcoin()
    assert len(stream.snapshot) == 6_000
    for venue in (1, 2, 3):
        updates = stream.updates[stream.updates["venue"] == venue]
        assert (np.diff(updates["sequence"].astype(np.int64)) >= 0).all()
        assert len(updates) > 100_000
    book = {Side.BID: set(), Side.ASK: set()}
    for event in np.concatenate([part[part["venue"] == 1] for part in (stream.snapshot, stream.updates)]):
        side = book[Side(event["side"])]
        (side.add if event["quantity"] else side.discard)(int(event["price"]))
        if event["flags"] & 1 and book[Side.BID] and book[Side.ASK]:
            assert max(book[Side.BID]) < min(book[Side.ASK])


def test_the_lobster_hour_has_its_messages(data):
    data("lobster")
    events = workloads.lobster().updates
    assert len(events) == 91_997
    assert (np.diff(events["ts_event"]) >= 0).all()
    assert events["price"][0] == 585_330_000_000
