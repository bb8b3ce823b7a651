import dataclasses
import typing

from engine.feeds import protocol


def test_notices_are_frozen_values():
    for kind in typing.get_args(protocol.Notice):
        assert dataclasses.is_dataclass(kind)
        assert kind.__dataclass_params__.frozen
    assert protocol.Subscribed(("AAPL",)) == protocol.Subscribed(("AAPL",), True)


def test_channels_are_listed_once():
    assert typing.get_args(protocol.Channel) == protocol.CHANNELS
