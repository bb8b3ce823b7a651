import pytest

from engine.core.broker_config import Broker
from engine.core.config import Config
from engine.errors import ConfigError


def test_settings_become_counts():
    broker = Broker("paper", latency="5ms", cash="1000.50", fee_per_share="0.005")
    assert (broker.latency_ns, broker.cash_nanos, broker.fee_per_share_nanos) == (
        5_000_000,
        1_000_500_000_000,
        5_000_000,
    )


@pytest.mark.parametrize("wrong", [{"latency": "soon"}, {"cash": -1}, {"fee_per_share": "x"}])
def test_a_wrong_setting_names_itself(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f"^{name} is "):
        Broker("paper", **wrong)


FILE = """
brokers = ["paper"]
[broker.paper]
latency = "5ms"
[trading]
journal = "desk.journal"
durable = "os"
[limits]
order_notional = 5_000
session = false
adv_fraction = "none"
"""


def config(tmp_path, text):
    path = tmp_path / "desk.toml"
    path.write_text(text)
    return Config.load(path, {})


def test_a_file_tells_brokers_trading_and_limits(tmp_path):
    found = config(tmp_path, FILE)
    assert found.brokers == (Broker("paper", latency="5ms"),)
    assert (found.trading.journal, found.trading.durable, found.trading.on_exit) == ("desk.journal", "os", "cancel")
    assert found.trading.limits == {"order_notional": 5_000, "session": False, "adv_fraction": None}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[trading]\ndurable = "ram"', "trading.durable is 'ram'; expected one of 'disk', 'os'"),
        ("[trading]\nhost = 1", "trading.host is not known"),
        ("[broker.paper]\nlatency = 5", "broker.paper: "),
        ("[broker.paper]\ncolour = 5", "broker.paper.colour is not known"),
        ("limits = 5", "limits is 5; expected a table"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, text)
