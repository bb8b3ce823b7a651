from engine.core.trading import BrokerFacts, Holding
from engine.execution.line import Line

MINUTE = 60_000_000_000


def test_the_budget_is_ten_seconds_of_requests_and_comes_back():
    line = Line(BrokerFacts("one", requests_per_minute=60))
    spent = 0
    while line.has_tokens(0):
        line.spend()
        spent += 1
    assert spent == 10
    assert not line.has_tokens(MINUTE // 60 - 1)
    assert line.has_tokens(MINUTE // 60)
    assert not line.has_tokens(4 * MINUTE // 60, part=5)
    assert line.has_tokens(5 * MINUTE // 60, part=5)


def test_cancels_may_overdraw_the_budget():
    line = Line(BrokerFacts("one", requests_per_minute=6))
    for _ in range(3):
        line.spend()
    assert not line.has_tokens(MINUTE // 6)
    assert line.has_tokens(3 * MINUTE // 6)


def compare(line, *holdings):
    line.asks(0)
    return line.compare(tuple(Holding(symbol, quantity) for symbol, quantity in holdings))


def test_the_first_positions_are_the_beginning():
    line = Line(BrokerFacts("one"))
    assert not compare(line, ("AAPL", 5))
    line.moved("AAPL", 3)
    line.moved("MSFT", -2)
    assert not compare(line, ("AAPL", 8), ("MSFT", -2))
    assert line.quarantine("AAPL") == ""


def test_what_does_not_agree_gets_no_order_until_it_agrees():
    line = Line(BrokerFacts("one"))
    compare(line)
    assert compare(line, ("AAPL", 5))  # another look, soon
    assert "AAPL" in line.health()["quarantined"]
    assert "5e-9 there, 0e-9" in line.quarantine("AAPL")
    assert not compare(line, ("AAPL", 5))  # it stays
    assert line.quarantine("AAPL")
    assert not compare(line)
    assert line.quarantine("AAPL") == ""


def test_what_traded_meanwhile_is_not_judged():
    line = Line(BrokerFacts("one"))
    compare(line)
    line.asks(0)
    line.moved("AAPL", 5)
    assert not line.compare(())
    assert line.quarantine("AAPL") == ""


def test_orders_of_others_close_a_symbol_while_they_live():
    line = Line(BrokerFacts("one"))
    line.stranger("AAPL", "x")
    assert line.quarantine("AAPL") == "order x is not ours"
    assert line.quarantine("MSFT") == ""
    line.strangers({})
    assert line.quarantine("AAPL") == ""
