"""Providers' settings become lines; every mistake is one clear error."""

import pytest

from engine.core.config import Provider
from engine.core.instruments import Instruments
from engine.core.venues import PROVIDERS as NUMBERS
from engine.errors import ConfigError
from engine.feeds.polygon import PolygonFeed
from engine.feeds.protocol import FeedProtocol
from engine.feeds.providers import PROVIDERS, feed_protocol, feed_protocols, line_name

KEYS = {"key": "KEYKEY", "secret": "SECSEC"}


def test_one_line_a_provider():
    instruments = Instruments()
    lines: list[FeedProtocol] = feed_protocols(
        [
            Provider("polygon", key="K"),
            Provider("polygon", key="K", feed="delayed", line="late"),
            Provider("iex", url="udp://239.1.2.3:10378"),
            Provider("iex", url="udp://[::1]:10378", feed="tops"),
        ],
        instruments,
    )
    assert [line.name for line in lines] == ["polygon", "late", "iex", "iex-tops"]
    assert [line.provider for line in lines] == ["polygon", "polygon", "iex", "iex"]
    assert [line.facts.role for line in lines] == ["nbbo", "nbbo", "depth", "top"]
    assert [line.facts.live for line in lines] == [True, False, True, True]
    assert set(PROVIDERS) < set(NUMBERS)


def test_settings_reach_the_line():
    line = feed_protocol(
        Provider("polygon", key="K", url="ws://127.0.0.1:9", channels=("bars", "trades"), symbol_limit=5), Instruments()
    )
    assert isinstance(line, PolygonFeed)
    assert line.url == "ws://127.0.0.1:9/stocks"
    assert (line.facts.channels, line.facts.symbol_limit) == (("trades", "bars"), 5)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        (Provider("alpaca"), "alpaca"),
        (Provider("alpaca", feed="iex"), "alpaca"),
        (Provider("alpaca", feed="sip"), "alpaca-sip"),
        (Provider("alpaca", url="wss://host/v2/delayed_sip"), "alpaca-delayed_sip"),
        (Provider("alpaca", feed="sip", line="mine"), "mine"),
        (Provider("polygon", feed="socket"), "polygon"),
        (Provider("finnhub"), "finnhub"),
        (Provider("schwab", feed="x"), "schwab-x"),
    ],
)
def test_names(provider, name):
    assert line_name(provider) == name


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("iex_cloud", r"shut down on 2024-08-31.*use 'iex'"),
        ("bloomberg", "provider is 'bloomberg'; expected one of polygon, alpaca, finnhub, iex"),
        ("schwab", "needs the broker's login"),
        ("polygon", "polygon: no key: set .*POLYGON_API_KEY"),
        (Provider("alpaca", key="KEYKEY"), "alpaca: no secret"),
        (Provider("finnhub"), "finnhub: no key"),
        (Provider("polygon", **KEYS, feed="iex"), "feed is 'iex'; expected one of socket"),
        (
            Provider("alpaca", **KEYS, feed="nyse"),
            "feed is 'nyse'; expected one of iex, sip, delayed_sip, test, crypto",
        ),
        (Provider("alpaca", **KEYS, feed="sip", url="wss://h/v2/iex"), "feed is 'sip', but url is .*which is 'iex'"),
        (Provider("finnhub", **KEYS, feed="x"), "expected none"),
        (Provider("iex"), "url is None; expected udp://host:port"),
        (Provider("iex", url="wss://host"), "expected udp://host:port"),
        (Provider("iex", url="udp://host"), "expected udp://host:port"),
        (Provider("iex", url="udp://h:1", feed="full"), "feed is 'full'; expected one of tops, deep"),
        (Provider("polygon", **KEYS, url="udp://h:1?token=KEYKEY"), r"token=\*\*\*.*wss:// or ws://"),
        (Provider("polygon", **KEYS, channels=("book",)), "channel is 'book'; expected one of trades, quotes, bars"),
        (Provider("finnhub", **KEYS, channels=("quotes",)), "channel is 'quotes'; expected one of trades"),
        (Provider("alpaca", **KEYS, channels=("book",)), "channel is 'book'"),
    ],
)
def test_mistakes(provider, text):
    with pytest.raises(ConfigError, match=text) as raised:
        feed_protocol(provider, Instruments())
    assert "KEYKEY" not in str(raised.value)
    assert "SECSEC" not in str(raised.value)


def test_two_lines_of_one_name():
    with pytest.raises(ConfigError, match="line 'polygon' is there twice"):
        feed_protocols([Provider("polygon", key="A"), Provider("polygon", key="B")], Instruments())
