import pytest

from engine.brokers.local import LocalProtocol
from engine.brokers.protocol import BrokerFacts, BrokerProtocol


@pytest.mark.parametrize("adapter", [LocalProtocol])
def test_an_adapter_has_every_method_of_the_contract(adapter):
    methods = [name for name, value in vars(BrokerProtocol).items() if callable(value) and not name.startswith("_")]
    assert methods
    made = adapter(BrokerFacts("broker"))
    assert [name for name in methods if not callable(getattr(made, name, None))] == []
    assert made.facts == BrokerFacts("broker")
