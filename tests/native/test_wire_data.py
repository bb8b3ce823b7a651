"""Recorded frames of Alpaca, Finnhub and Schwab decode to what their documentation says, field by field.

Every sample is asserted: as events where it has some, else as messages handed on as they came.
"""

import json
from decimal import Decimal

import numpy as np
import pytest

from engine._native.wire import FrameDecoder
from engine.core.events import Condition, Flag, Kind, Side, Status
from engine.core.units import NANOS
from engine.core.venues import venue_id

pytestmark = pytest.mark.data

CRYPTO = ("AVAX/USD", "BAT/USD", "BTC/USD", "MKR/USD")
ODD_LOT = Condition.ODD_LOT | Condition.NO_LAST | Condition.NO_HIGH_LOW
FORM_T = Condition.EXTENDED_HOURS | Condition.NO_LAST | Condition.NO_HIGH_LOW
SWEEP = int(Condition.SWEEP)
LAST, SNAPSHOT = int(Flag.LAST), int(Flag.SNAPSHOT)
BID, ASK = int(Side.BID), int(Side.ASK)


def samples(data, provider: str) -> list[bytes]:
    lines = data(f"../protocols/samples/{provider}.jsonl").read_text().splitlines()
    return [json.loads(line)["raw"].encode() for line in lines]


def ns(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def count(text: str) -> int:
    return int(Decimal(text) * NANOS)


def venue(name: str) -> int:
    return venue_id(name) if name else 0


def decode(frame: bytes, name: str, symbols: dict[str, int], **options) -> tuple[list[tuple], list[bytes]]:
    """Events as rows of `fields` below, and the other messages."""
    provider = name.split("-", maxsplit=1)[0]
    decoder = FrameDecoder(name, provider=provider, **options)
    for symbol, number in symbols.items():
        decoder.map(symbol, number)
    events = decoder.receive_bytes(frame, 5)
    assert decoder.take_problem() is None
    counts = decoder.counts
    assert counts["unknown_symbols"] == counts["invalid"] == counts["inexact"] == counts["unknown_venues"] == 0
    assert (events["ts_recv"] == 5).all()
    assert (events["provider"] == {"alpaca": 2, "finnhub": 3, "schwab": 5}[provider]).all()
    assert (events["sequence"] == 0).all()
    fields = ["instrument", "kind", "side", "flags", "venue", "price", "quantity", "ts_event", "order_id", "conditions"]
    return [tuple(event) for event in events[fields].tolist()], decoder.take_other()


def nbbo(number, time, bid, ask):
    """Two events; sizes of the samples are round lots."""
    (bid_venue, bid_price, bid_lots), (ask_venue, ask_price, ask_lots) = bid, ask
    return [
        (number, Kind.NBBO, BID, 0, venue(bid_venue), count(bid_price), bid_lots * 100 * NANOS, ns(time), 0, 0),
        (number, Kind.NBBO, ASK, LAST, venue(ask_venue), count(ask_price), ask_lots * 100 * NANOS, ns(time), 0, 0),
    ]


def trade(number, time, where, price, quantity, identity=0, conditions=0, side=0):
    stamp = ns(time) if isinstance(time, str) else time * 10**6
    return (number, Kind.TRADE, side, LAST, venue(where), count(price), count(quantity), stamp, identity, conditions)


STOCKS = {
    0: [trade(1, "2021-02-22T15:51:44.208", "XADF", "126.55", "1", 96921, ODD_LOT)],
    1: nbbo(2, "2021-02-22T15:51:45.335689322", ("MEMX", "87.66", 1), ("XNAS", "87.68", 4)),
    5: [(1, Kind.STATUS, 0, LAST, 0, 0, 0, ns("2021-02-22T19:15:00"), 0, Status.HALTED)],
    6: nbbo(2, "2023-04-06T11:54:21.670905508", ("EDGX", "91.95", 2), ("XNAS", "91.98", 1)),
    7: [
        trade(1, "2023-04-06T11:54:26.838232225", "EDGX", "162.92", "3", 628, FORM_T | ODD_LOT | SWEEP),
        trade(1, "2023-04-06T11:54:26.838562809", "BATS", "162.92", "3", 75, FORM_T | ODD_LOT | SWEEP),
        trade(1, "2023-04-06T11:54:26.839159730", "ARCX", "162.91", "71", 1465, FORM_T | ODD_LOT | SWEEP),
    ],
}
FAKEPACA = {
    # the test feed's exchange letters are made up, too: O and R are no exchanges
    8: ("2024-07-24T07:56:53.639713735", "133.85", 4, "135.77", 5),
    9: ("2024-07-24T07:56:58.641207127", "133.85", 4, "135.77", 5),
}
CRYPTO_EVENTS = {
    10: [trade(1, "2024-03-12T10:27:48.858228144", "", "47.299", "29.205707815", 3447222699101865076, 0, BID)],
    11: [],  # quotes beside an order book say nothing new
    12: [
        (3, Kind.CLEAR, 0, SNAPSHOT, 0, 0, 0, ns("2024-03-12T10:38:50.79613221"), 0, 0),
        *(
            (3, Kind.LEVEL, side, SNAPSHOT | last, 0, count(p), count(s), ns("2024-03-12T10:38:50.79613221"), 0, 0)
            for side, p, s, last in [
                (BID, "71859.53", "0.27994", 0),
                (BID, "71849.4", "0.553986", 0),
                (BID, "71820.469", "0.83495", 0),
                (ASK, "71939.7", "0.83953", 0),
                (ASK, "71940.4", "0.28025", 0),
                (ASK, "71950.715", "0.555928", LAST),
            ]
        ),
    ],
    13: [(4, Kind.LEVEL, ASK, LAST, 0, count("2614.587"), count("12.5308"), ns("2024-03-12T10:39:39.445492807"), 0, 0)],
}
ALPACA_STREAM = 26  # the samples before the REST answers


def test_alpaca_stocks(data):
    frames = samples(data, "alpaca")
    for place in (set(range(ALPACA_STREAM)) - set(CRYPTO_EVENTS) - set(FAKEPACA)) | set(STOCKS):
        events, other = decode(frames[place], "alpaca", {"AAPL": 1, "AMD": 2})
        assert events == STOCKS.get(place, []), place
        assert other == ([] if place in STOCKS and place != 5 else [frames[place][1:-1]]), place


def test_alpaca_answers_to_requests_are_handed_on(data):
    for frame in samples(data, "alpaca")[ALPACA_STREAM:]:
        assert decode(frame, "alpaca", {"AAPL": 1}) == ([], [frame])


def test_alpaca_test_feed(data):
    frames = samples(data, "alpaca")
    for place, (time, bid, bid_lots, ask, ask_lots) in FAKEPACA.items():
        decoder = FrameDecoder("alpaca", provider="alpaca")
        decoder.map("FAKEPACA", 9)
        events = decoder.receive_bytes(frames[place])
        assert events["price"].tolist() == [count(bid), count(ask)]
        assert events["quantity"].tolist() == [bid_lots * 100 * NANOS, ask_lots * 100 * NANOS]
        assert events["ts_event"].tolist() == [ns(time)] * 2
        assert events["venue"].tolist() == [0, 0]
        assert decoder.counts["unknown_venues"] == 2


def test_alpaca_iex_quotes_are_the_venues_own(data):
    events, _ = decode(samples(data, "alpaca")[6], "alpaca", {"AMD": 2}, quotes="top", venue="IEXG")
    expected = nbbo(2, "2023-04-06T11:54:21.670905508", ("IEXG", "91.95", 2), ("IEXG", "91.98", 1))
    assert events == [(number, Kind.QUOTE, *rest) for number, _, *rest in expected]


def test_alpaca_crypto(data):
    frames = samples(data, "alpaca")
    symbols = {symbol: number for number, symbol in enumerate(CRYPTO, 1)}
    for place, expected in CRYPTO_EVENTS.items():
        assert decode(frames[place], "alpaca-crypto", symbols) == (expected, []), place
    for place in (14, 15, 16, 18):
        assert decode(frames[place], "alpaca-crypto", symbols) == ([], [frames[place][1:-1]])


def test_alpaca_crypto_quotes_where_they_are_all_there_is(data):
    events, _ = decode(samples(data, "alpaca")[11], "alpaca-crypto", {"BAT/USD": 2}, quotes="top", venue="KRKN")
    time = ns("2024-03-12T10:29:43.111588173")
    assert events == [
        (2, Kind.QUOTE, BID, 0, venue("KRKN"), count("0.35718"), count("13445.46"), time, 0, 0),
        (2, Kind.QUOTE, ASK, LAST, venue("KRKN"), count("0.3581"), count("13561.902"), time, 0, 0),
    ]


def prints(rows):
    return [trade(number, time, "", price, size, 0, bits) for number, price, time, size, bits in rows]


def test_finnhub(data):
    first, null, empty, early, plain, ping = samples(data, "finnhub")
    symbols = {"TSLA": 1, "AAPL": 2, "BINANCE:BTCUSDT": 3, "GOOG": 4}
    late = FORM_T | ODD_LOT | SWEEP
    assert decode(first, "finnhub", symbols) == (
        prints(
            [
                (1, "122.1", 1672348887195, "1", late),
                (1, "122.09", 1672348887196, "4", late),
                (1, "122.09", 1672348887196, "10", late),
                (1, "122.1", 1672348887196, "1", late),
                (1, "122.1", 1672348887196, "2", late),
                (1, "122.1", 1672348887196, "10", late),
                (1, "122.1", 1672348887198, "79", late),
                (2, "129.58", 1672348887666, "1", FORM_T | ODD_LOT),
                (2, "129.575", 1672348887785, "1", FORM_T | ODD_LOT),
            ]
        ),
        [],
    )
    assert decode(null, "finnhub", symbols)[0] == prints([(3, "66972.77", 1721555886208, "0.01559", 0)])
    assert decode(empty, "finnhub", symbols)[0] == prints(
        [
            (1, "130.3498", 1674226439365, "1667", 0),
            (1, "130.3498", 1674226439366, "1333", 0),
            (4, "98.4556", 1674226439375, "51", ODD_LOT),
        ]
    )
    assert decode(early, "finnhub", symbols)[0] == prints(
        [
            (2, "146.76", 1628238530221, "43", FORM_T | ODD_LOT),
            (2, "146.75", 1628238530221, "1", FORM_T | ODD_LOT),
        ]
    )
    assert decode(plain, "finnhub", symbols)[0] == prints(
        [
            (1, "164.06", 1680286538064, "100", SWEEP),
            (1, "164.06", 1680286538064, "4", SWEEP | ODD_LOT),
            (1, "164.06", 1680286538064, "4", SWEEP | ODD_LOT),
            (1, "164.06", 1680286538064, "15", SWEEP | ODD_LOT),
            (1, "164.0601", 1680286538276, "26", ODD_LOT),
            (1, "164.0615", 1680286538295, "1", ODD_LOT),
        ]
    )
    assert decode(ping, "finnhub", symbols) == ([], [b'{"type":"ping"}'])


def test_schwab_messages_that_are_no_data(data):
    frames = samples(data, "schwab")
    for place in (0, 1, 2, 4, 5, 6, 8, 9):
        assert decode(frames[place], "schwab", {"AAPL": 1, "MSFT": 2}) == ([], [frames[place]])


def test_schwab_level_one(data):
    frames = samples(data, "schwab")
    # numbered as in an older guide from field 12 on: the places of the quote are the same, its time is the envelope's
    time = "2022-11-17T20:12:10.585"
    assert decode(frames[3], "schwab", {"AAPL": 1})[0] == nbbo(1, time, ("ARCX", "149.81", 4), ("XNAS", "149.82", 2))
    time = "2024-05-05T22:53:12.301"
    assert decode(frames[7], "schwab", {"SCHW": 3, "AAPL": 1, "SPY": 2})[0] == [
        *nbbo(3, time, ("", "76.08", 3), ("", "76.49", 1)),
        *nbbo(1, time, ("", "183.75", 1), ("", "183.8", 2)),
        *nbbo(2, time, ("", "512.3", 8), ("", "512.32", 1)),
    ]


def test_schwab_book(data):
    def montage(number, stamp, quotes):
        rows = [(number, Kind.CLEAR, 0, SNAPSHOT, 0, 0, 0, stamp * 10**6, 0, 0)]
        for side, where, price, size in quotes:
            values = (venue(where), count(price), size * NANOS, stamp * 10**6, 0, 0)
            rows.append((number, Kind.QUOTE, side, SNAPSHOT, *values))
        number, kind, side, flags, *values = rows[-1]
        return [*rows[:-1], (number, kind, side, flags | LAST, *values)]

    events, other = decode(samples(data, "schwab")[10], "schwab", {"MSFT": 2, "GOOG": 4})
    assert other == []
    assert events == [
        *montage(
            2,
            1590532442608,
            [
                (BID, "EDGX", "181.77", 100),
                (BID, "XNAS", "181.75", 345),
                (BID, "ARCX", "181.75", 200),
                (BID, "BATS", "157.0", 100),
                (ASK, "ARCX", "181.95", 100),
                (ASK, "XNAS", "181.98", 48),
                (ASK, "EDGX", "182.3", 100),
                (ASK, "BATS", "186.8", 700),
            ],
        ),
        *montage(
            4,
            1590532323728,
            [
                (BID, "XNAS", "1418.0", 1),
                (BID, "BATS", "1417.26", 100),
                (BID, "ARCX", "1417.25", 100),
                (BID, "EDGX", "1400.88", 100),
                (ASK, "EDGX", "1421.0", 200),
                (ASK, "ARCX", "1421.0", 100),
                (ASK, "XNAS", "1421.73", 10),
            ],
        ),
    ]
