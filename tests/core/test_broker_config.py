import pytest

from engine.core.broker_config import Broker


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
