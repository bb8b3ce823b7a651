"""Whatever clients send, servers answer or ignore it, and go on serving."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sim.market import Market
from tests.sim.providers.conversation import LOGIN, Conversation

NAMES = "action auth subscribe unsubscribe params key secret trades quotes type symbol * AAPL"
WORDS = st.sampled_from(NAMES.split())
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
MESSAGES = st.one_of(st.binary(max_size=40), st.text(max_size=40), VALUES.map(json.dumps), VALUES.map(msgpack.packb))


@pytest.mark.parametrize("line", ["polygon", "alpaca-sip", "alpaca-msgpack", "finnhub", "iex"])
@settings(max_examples=40, deadline=None)
@given(messages=st.lists(MESSAGES, max_size=8), login=st.booleans())
def test_garbage_is_survived(line, messages, login):
    name = line.replace("-msgpack", "-sip")
    talk = Conversation(name, market=Market(("AAPL",), seed=1, duration="10s", rate=20))
    kept = talk.login()
    talk.take()
    headers = {"content_type": "application/msgpack"} if line == "alpaca-msgpack" else {}
    two = talk.connect("/?token=other" if name == "finnhub" else None, **headers)
    for message in LOGIN[name.partition("-")[0]] if login and not headers else []:
        talk.send(two, message.replace('"k"', '"other"'))
    for message in messages:
        talk.send(two, message)
    talk.run(5)
    assert talk.frames(kept)


@pytest.mark.parametrize("line", ["polygon", "alpaca-sip", "finnhub"])
@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"action":[],"params":"","type":[],"symbol":"A"}', '{"action":{}}', "1" * 5_000]
)
def test_nests_and_unhashable_words(line, text):
    talk = Conversation(line)
    one = talk.connect()
    talk.take()
    talk.send(one, text)
    (answer,) = talk.take_messages(one)
    assert "nvalid" in str(answer) or "not authorized" in str(answer)
