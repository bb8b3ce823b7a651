"""What servers share."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.units import to_nanos
from engine.sim.providers.protocol import Close, Outbox, Request, Send, decimal_text


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_decimal_text_is_exact_and_json(count):
    text = decimal_text(count)
    assert to_nanos(text) == count
    json.loads(text)
    assert not text.endswith(".")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (114_125_000_000, "114.125"), (-1, "-0.000000001"), (10**11, "100")]
)
def test_decimal_text_is_short(count, text):
    assert decimal_text(count) == text


def test_an_outbox_keeps_the_order():
    outbox = Outbox()
    outbox.send(1, "a")
    outbox.close(1, None, "gone")
    outbox.send(2, b"b", market=True)
    assert outbox.take() == [Send(1, "a"), Close(1, None, "gone"), Send(2, b"b", (), True)]
    assert outbox.take() == []


def test_a_request_shows_no_headers():
    assert "hush" not in repr(Request("/", {"authorization": "hush"}))
