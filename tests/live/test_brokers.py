import pytest

from engine import Instruments
from engine.core.broker_config import Broker
from engine.errors import ConfigError
from engine.live.brokers import broker_ends


def test_paper_brokers_are_made_by_name_and_by_their_settings():
    ends, papers = broker_ends(
        ["paper", Broker("paper", line="other", cash="5", latency="1ms")], Instruments(), lambda: 7
    )
    assert [end.protocol.facts.name for end in ends] == ["paper", "other"]
    assert papers[1].broker.account.cash == 5 * 10**9


@pytest.mark.parametrize(
    ("brokers", "text"),
    [
        (["robinhood"], "broker is 'robinhood'; expected one of paper"),
        (["paper", "paper"], "broker 'paper' is there twice"),
        ([], "no broker"),
    ],
)
def test_others_are_a_configuration_error(brokers, text):
    with pytest.raises(ConfigError, match=text):
        broker_ends(brokers, Instruments(), lambda: 0)
