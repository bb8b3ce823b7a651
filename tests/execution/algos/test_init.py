"""Every algorithm: its plain form and back, and the contract."""

import json

import pytest

from engine.execution.algos import ALGOS, algo_from_dict
from engine.execution.algos.immediate import Immediate
from engine.execution.algos.limit import Limit
from engine.execution.algos.twap import TWAP

CHOICES = [
    Limit(100),
    Limit("100.05", tif="gtc", post_only=True, display=100),
    Immediate(),
    Immediate(limit=99.5, collar_bps="7.5", tif="fok", levels=3),
    TWAP(),
    TWAP(start="09:45", end="15:50", slices=7, jitter="0s", size_jitter=0, band=1, style="cross"),
    TWAP(start=5, end=7, limit="10.5", min_slice=1, max_slice="2.5", collar_bps=3),
    TWAP(duration="15m"),
]


@pytest.mark.parametrize("algo", CHOICES, ids=repr)
def test_the_plain_form_is_json_and_comes_back_the_same(algo):
    plain = algo.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    again = algo_from_dict(plain)
    assert again == algo
    assert again.to_dict() == plain
    assert hash(again) == hash(algo)


def test_each_algorithm_is_tried():
    assert {algo.name for algo in CHOICES} == set(ALGOS)


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ({}, "algo is None; expected one of limit, immediate, twap"),
        ({"algo": "vwop"}, "algo is 'vwop'"),
        ({"algo": "limit"}, "Limit: .*price"),
        ({"algo": "limit", "price": 1, "size": 2}, "Limit has no argument 'size'; expected some of price, tif"),
        ({"algo": "immediate", "levels": "3"}, "levels is '3'"),
    ],
)
def test_a_wrong_plain_form_is_named(plain, text):
    with pytest.raises(ValueError, match=text):
        algo_from_dict(plain)
