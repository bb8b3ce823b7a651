"""Symbols as each provider spells them, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feeds.symbology import CONVENTIONS, canonical, from_wire, to_wire

# Nasdaq's "Ticker Symbol Convention" with a dot in place of the CQS slash: CMS, CQS, integrated
ROWS = [
    ("PR", "p", "-"),
    ("PRA", "pA", "-A"),
    ("PRB", "pB", "-B"),
    ("A", ".A", ".A"),
    ("B", ".B", ".B"),
    ("PRWD", "p.WD", "-$"),
    ("WD", ".WD", "$"),
    ("WS", ".WS", "+"),
    ("CL", ".CL", "*"),
    ("ACL", ".A.CL", ".A*"),
    ("PRCL", "p.CL", "-*"),
    ("PRACL", "pA.CL", "-A*"),
    ("PRAWI", "pAw", "-A#"),
    ("EC", ".EC", "!"),
    ("PP", ".PP", "@"),
    ("CV", ".CV", "%"),
    ("CVCL", ".CV.CL", "%*"),
    ("ACV", ".A.CV", ".A%"),
    ("PRACV", "pA.CV", "-A%"),
    ("PRAWD", "pA.WD", "-A$"),
    ("RT", "r", "^"),
    ("U", ".U", "="),
    ("WI", "w", "#"),
    ("RTWI", "rw", "^#"),
    ("PRWI", "pw", "-#"),
    ("AWI", ".Aw", ".A#"),
    ("WSWI", ".WSw", "+#"),
    ("TEST", ".TEST", "~"),
]


@pytest.mark.parametrize(("cms", "cqs", "integrated"), ROWS)
def test_the_published_table(cms, cqs, integrated):
    symbol = f"XYZ.{cms}"
    assert to_wire("polygon", symbol) == f"XYZ{cqs}"
    assert to_wire("iex", symbol) == f"XYZ{integrated}"
    assert to_wire("schwab", symbol) == f"XYZ/{cms}"
    assert to_wire("alpaca", symbol) == symbol
    for provider in CONVENTIONS:
        assert from_wire(provider, to_wire(provider, symbol)) == symbol


@pytest.mark.parametrize("text", ["BRK.B", "BRK/B", "BRK-B", "BRK B"])
def test_berkshire_however_it_is_written(text):
    assert canonical(text) == "BRK.B"
    wires = {provider: to_wire(provider, text) for provider in CONVENTIONS}
    assert wires == {"polygon": "BRK.B", "alpaca": "BRK.B", "finnhub": "BRK.B", "iex": "BRK.B", "schwab": "BRK/B"}


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("BAC-PB", "BAC.PRB"), ("AAC-WT", "AAC.WS"), ("AAC-UN", "AAC.U"), ("BTC/USD", "BTC-USD"), ("ETH-BTC", "ETH-BTC")],
)
def test_other_spellings(text, symbol):
    assert canonical(text) == symbol


def test_warrants_of_a_class():
    assert to_wire("iex", "TDW.WSA") == "TDW+A"
    assert from_wire("iex", "TDW+A") == "TDW.WSA"
    assert to_wire("polygon", "TDW.WSA") == "TDW.WS.A"
    assert from_wire("polygon", "TDW.WS.A") == "TDW.WSA"


def test_pairs():
    assert to_wire("alpaca", "BTC-USD") == "BTC/USD"
    assert from_wire("alpaca", "BTC/USD") == "BTC-USD"
    assert to_wire("polygon", "BTC/USD") == "BTC-USD"
    with pytest.raises(ValueError, match=r"BTC-USD.*finnhub has no such pairs"):
        to_wire("finnhub", "BTC-USD")


@pytest.mark.parametrize("text", ["BINANCE:BTCUSDT", "O:SPY241220P00720000", "FAKEPACA", "I:SPX"])
@pytest.mark.parametrize("provider", CONVENTIONS)
def test_other_symbols_stay_as_they_are(provider, text):
    assert to_wire(provider, text) == text
    assert from_wire(provider, text) == text


@pytest.mark.parametrize("text", ["", "A A A", "ÄÖ", "X" * 33, "A\n"])
def test_no_symbols(text):
    with pytest.raises(ValueError, match="expected 1 to 32 printable"):
        canonical(text)


def test_no_text():
    with pytest.raises(TypeError, match="expected text"):
        canonical(None)


ISSUES = st.builds(
    "{}.{}".format, st.text("ABCDEPRUW12", min_size=1, max_size=6), st.sampled_from([row[0] for row in ROWS])
)


@given(ISSUES, st.sampled_from(sorted(CONVENTIONS)))
def test_the_way_back_gives_the_same_symbol(symbol, provider):
    assert canonical(symbol) == symbol
    assert from_wire(provider, to_wire(provider, symbol)) == symbol


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32))
def test_the_house_has_one_spelling(text):
    assert canonical(canonical(text)) == canonical(text)
    for provider in CONVENTIONS:
        from_wire(provider, text)  # whatever a provider sends
