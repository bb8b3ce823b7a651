"""Configuration: what files and variables say, one clear error per mistake, and secrets that stay secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.core.config import CREDENTIALS, Config, Market, Provider, masked_url, missing_credentials
from engine.core.venues import PROVIDERS
from engine.errors import ConfigError

DESK = """
providers = ["polygon", "alpaca-sip"]

[provider.polygon]
key_env = "MY_KEY"
url = "wss://socket.massive.com"
symbol_limit = 500

[provider.alpaca-sip]
name = "alpaca"
feed = "sip"
codec = "json"
key = "AK"
channels = ["quotes"]

[market]
symbols = ["AAPL", "MSFT"]
transport = "websockets"
busy_poll = true
seed = 7

[[instrument]]
symbol = "BTC-USD"
tick = "0.01"
lot = "1e-8"
"""


def load(folder: Path, text: str, **environment: str) -> Config:
    path = folder / "desk.toml"
    path.write_text(text)
    return Config.load(path, environment)


def test_secrets_are_not_shown() -> None:
    provider = Provider("alpaca", url="wss://me:pw@host/v2?token=abc&x=1", key="AK", secret="SK", feed="iex")
    for text in (repr(provider), str(provider), f"{[provider]}", repr(Config((provider,), known={"alpaca": provider}))):
        assert "AK" not in text
        assert "SK" not in text
        assert "abc" not in text
        assert "pw" not in text
    assert repr(provider) == (
        "Provider(name='alpaca', url='wss://***@host/v2?token=***&x=***', key='***', secret='***', feed='iex')"
    )
    assert masked_url("wss://host:1/path") == "wss://host:1/path"


def test_a_file_says_everything(tmp_path: Path) -> None:
    config = load(tmp_path, DESK, MY_KEY="PK", APCA_API_SECRET_KEY="SK")
    assert config.providers == (
        Provider("polygon", url="wss://socket.massive.com", key="PK", symbol_limit=500),
        Provider("alpaca", feed="sip", codec="json", key="AK", secret="SK", channels=("quotes",), line="alpaca-sip"),
    )
    assert config.market == Market(("AAPL", "MSFT"), "websockets", busy_poll=True, seed=7)
    assert config.instruments == ({"symbol": "BTC-USD", "tick": "0.01", "lot": "1e-8"},)


def test_variables_have_the_last_word(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        DESK,
        MY_KEY="PK",
        TICKFORGE_PROVIDERS="alpaca-sip, finnhub",
        TICKFORGE_ALPACA_SIP_KEY="other",
        TICKFORGE_ALPACA_SIP_CHANNELS="quotes,trades",
        TICKFORGE_FINNHUB_SYMBOL_LIMIT="50",
        TICKFORGE_FINNHUB_URL="ws://127.0.0.1:1",
        TICKFORGE_BUSY_POLL="0",
        TICKFORGE_SYMBOLS="SPY",
        TICKFORGE_TRANSPORT="picows",
        FINNHUB_API_KEY="FK",
        POLYGON_API_KEY="not asked: the file says it",
    )
    sip, finnhub = config.providers
    assert (sip.key, sip.channels) == ("other", ("quotes", "trades"))
    assert finnhub == Provider("finnhub", url="ws://127.0.0.1:1", key="FK", symbol_limit=50)
    assert config.market == Market(("SPY",), "picows", busy_poll=False, seed=7)
    assert config.provider("polygon").key == "PK"


def test_the_environment_alone_will_do() -> None:
    assert Config.from_env({}).providers == ()
    config = Config.from_env({"MASSIVE_API_KEY": "PK", "APCA_API_KEY_ID": "AK", "TICKFORGE_IEX_URL": "udp://h:1"})
    assert config.providers == (Provider("polygon", key="PK"),)  # Alpaca lacks its secret, IEX needs no key
    assert config.provider("alpaca-delayed-sip") == Provider("alpaca", key="AK", feed="delayed_sip")
    assert config.provider("iex") == Provider("iex", url="udp://h:1")


def test_several_lines_of_a_provider_share_its_key(tmp_path: Path) -> None:
    config = load(
        tmp_path, '[provider.alpaca]\nkey="AK"\nsecret="SK"\n[provider.alpaca-sip]\n[provider.two]\nname="alpaca"'
    )
    assert config.providers == (
        Provider("alpaca", key="AK", secret="SK"),
        Provider("alpaca", key="AK", secret="SK", feed="sip", line="alpaca-sip"),
        Provider("alpaca", key="AK", secret="SK", line="two"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("providers = 3", "providers is 3; expected a list of texts"),
        ('providers = ["polygn"]', "providers: provider is 'polygn'; expected one of alpaca, finnhub, iex, polygon"),
        ('providers = ["iex", "iex"]', "providers names 'iex' twice; expected each provider once"),
        ('providers = ["iex_cloud"]', "IEX Cloud was shut down on 2024-08-31"),
        ("[provider.iex_cloud]", "IEX Cloud was shut down on 2024-08-31"),
        ("[provider.polygn]", "provider.polygn.name is 'polygn'; expected one of polygon, alpaca, finnhub, iex"),
        ("[provider.BIG]", "provider.BIG: expected a name of a-z, 0-9"),
        ("provider = 1", "provider is 1; expected tables"),
        (
            "[provider.polygon]\napi_key = 'hush'",
            "provider.polygon.api_key is not known; expected one of name, url, key",
        ),
        ("[provider.polygon]\nkey = ['hush']", "provider.polygon.key is ***; expected text"),
        ("[provider.polygon]\nkey_env = 'NOPE'", "provider.polygon.key_env is 'NOPE', but that variable is not set"),
        ("[provider.polygon]\nurl = 'http://x/?k=hush'", "provider.polygon.url is 'http://x/?k=***'; expected a URL"),
        ("[provider.alpaca]\ncodec = 'xml'", "provider.alpaca.codec is 'xml'; expected one of 'json', 'msgpack'"),
        ("[provider.alpaca]\nsymbol_limit = 0", "symbol_limit is 0; expected a whole number of at least 1"),
        ("[market]\ntransport = 'tcp'", "market.transport is 'tcp'; expected one of 'picows', 'websockets'"),
        ("[market]\nbusy_poll = 'often'", "market.busy_poll is 'often'; expected true or false"),
        ("[market]\nspeed = 1", "market.speed is not known; expected one of symbols, transport, busy_poll, seed"),
        ("market = []", "market is []; expected a table"),
        ("[[instrument]]\nsymbol = 'A'\ntick = 0", "instrument 1: tick is 0"),
        ("[[instrument]]\nname = 'A'", "instrument 1: instrument has the field 'name'"),
        ("instrument = 1", "instrument is 1; expected [[instrument]] tables"),
        ("[venue]", "venue is not known; expected one of providers, provider, market, instrument, brokers, broker"),
        ("x = ", "no TOML: Invalid value"),
    ],
)
def test_each_mistake_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'desk.toml'}: ")
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TICKFORGE_PROVIDERS", "polygn", "TICKFORGE_PROVIDERS: provider is 'polygn'; expected one of alpaca"),
        (
            "TICKFORGE_POLYGN_KEY",
            "hush",
            "TICKFORGE_POLYGN_KEY is set, but there is no provider POLYGN; expected one of",
        ),
        ("TICKFORGE_ALPACA_CODEC", "xml", "TICKFORGE_ALPACA_CODEC is 'xml'; expected one of 'json', 'msgpack'"),
        ("TICKFORGE_BUSY_POLL", "often", "TICKFORGE_BUSY_POLL is 'often'; expected true or false"),
        ("TICKFORGE_SEED", "x", "TICKFORGE_SEED is 'x'; expected a whole number"),
        (
            "TICKFORGE_TRANSPRT",
            "hush",
            "TICKFORGE_TRANSPRT is set, but nothing reads it; expected one of TICKFORGE_PROVIDERS, TICKFORGE_SYMBOLS",
        ),
    ],
)
def test_wrong_variables_are_named(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({variable: value})
    assert str(caught.value).startswith(message)
    assert "hush" not in str(caught.value)


def test_variables_of_other_parts_are_left_alone() -> None:
    assert Config.from_env({"TICKFORGE_CPU": "baseline", "TICKFORGE_DATA": "x"}) == Config.from_env({})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "iex_cloud"}, r"IEX Cloud was shut down on 2024-08-31.*use 'iex'"),
        ({"name": "polygn"}, "provider is 'polygn'; expected one of polygon, alpaca, finnhub, iex, schwab"),
        ({"name": "alpaca", "codec": "xml"}, "alpaca: codec is 'xml'; expected one of 'json', 'msgpack'"),
        ({"name": "polygon", "symbol_limit": 0}, "polygon: symbol_limit is 0; expected a whole number of at least 1"),
        ({"name": "polygon", "channels": "trades"}, "polygon: channels is 'trades'; expected a list of texts"),
        ({"name": "polygon", "key": 5}, r"polygon: key is \*\*\*; expected text"),
    ],
)
def test_a_provider_in_code_is_checked_as_one_in_a_file(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Provider(**settings)


def test_a_transport_in_code_is_checked() -> None:
    with pytest.raises(ConfigError, match="transport is 'tcp'; expected one of 'picows', 'websockets'"):
        Market(transport="tcp")  # type: ignore[arg-type]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent.toml: cannot be read: No such file"):
        Config.load(tmp_path / "absent.toml", {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="no TOML"):
        Config.load(tmp_path / "bytes.toml", {})


def test_what_lacks_a_key_is_told_how_to_set_it() -> None:
    assert missing_credentials(Provider("alpaca", key="AK", line="two")) == (
        "two: no secret: set TICKFORGE_TWO_SECRET or APCA_API_SECRET_KEY, or secret in [provider.two] of the "
        "configuration"
    )
    assert missing_credentials(Provider("polygon", key="x")) is None
    assert missing_credentials(Provider("iex")) is None


def test_every_provider_with_credentials_has_a_number() -> None:
    assert set(CREDENTIALS) <= set(PROVIDERS)
