import json

from engine.core.trading import BrokerFacts
from engine.risk.limits import Limits
from engine.trader import TraderSetup


def test_a_setup_survives_its_plain_form_as_json():
    setup = TraderSetup(
        "ab" * 16,
        (BrokerFacts("one", readable=False, times_in_force=("day",)), BrokerFacts("two")),
        Limits(order_notional="5.5"),
        9,
    )
    again = TraderSetup.from_dict(json.loads(json.dumps(setup.to_dict())))
    assert again.brokers == setup.brokers
    assert again.to_dict() == setup.to_dict()
