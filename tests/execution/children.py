"""Children and reports for tests of what brokers tell."""

from engine.core.trading import BrokerFacts, Intent, Report, ReportKind, Submit
from engine.execution.child import Child
from engine.execution.parent import Parent, Traded

NANO = 1_000_000_000
MS = NANO // 1000
NAME = "u-1-1"


def child(quantity=100, facts=None, now=1_000 * NANO):
    """A child of 100 at a price of 10, just sent to ``one``."""
    parent = Parent(Submit(1, 0, "AAPL", "buy", quantity * NANO, {}), Traded("AAPL", 0), now)
    intent = Intent(1, NAME, 0, "AAPL", "buy", quantity * NANO, 10 * NANO, "one")
    return Child(parent, intent, facts or BrokerFacts("one"), now)


def report(kind, name=NAME, quantity=0, cumulative=None, leaves=None, **more):
    """A report; quantities in whole units."""
    return Report(
        "one",
        ReportKind(kind),
        name,
        quantity=quantity * NANO,
        cumulative=-1 if cumulative is None else cumulative * NANO,
        leaves=-1 if leaves is None else leaves * NANO,
        **({"price": 10 * NANO} | more),
    )
