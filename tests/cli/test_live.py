"""What commands on live data share: settings, and what is wrong with lines in one line."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import click
import pytest

from engine.cli.live import complaints, run, settings
from engine.core.config import Market, Provider
from engine.errors import ConfigError
from engine.market import MarketData
from tests.loopback import Loopback


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings choose a level for the loggers; the next test finds the old one."""
    monkeypatch.setattr(logging.getLogger("engine"), "level", logging.NOTSET)
    for name in ("POLYGON_API_KEY", "MASSIVE_API_KEY", "FINNHUB_API_KEY", "TICKFORGE_PROVIDERS"):
        monkeypatch.delenv(name, raising=False)


def test_arguments_go_before_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(
        '[provider.polygon]\nkey = "x"\n[provider.finnhub]\nkey = "y"\n[market]\nsymbols = ["SPY"]\nseed = 3'
    )
    config, providers, symbols = settings((), None, str(path), verbose=True)
    assert [provider.name for provider in providers] == ["polygon", "finnhub"]
    assert (symbols, config.market) == (["SPY"], Market(seed=3))
    assert logging.getLogger("engine").level == logging.INFO
    _, providers, symbols = settings(("AAPL", "AAPL", "MSFT"), "finnhub, alpaca-sip", str(path), verbose=False)
    assert providers == [Provider("finnhub", key="y"), Provider("alpaca", feed="sip")]
    assert symbols == ["AAPL", "MSFT"]
    assert logging.getLogger("engine").level == logging.ERROR
    with pytest.raises(ConfigError, match="provider is 'polygn'"):
        settings(("AAPL",), "polygn", str(path), verbose=False)


def test_nobody_to_ask_and_nothing_to_ask_for() -> None:
    with pytest.raises(ConfigError, match="no provider: give --providers"):
        settings(("AAPL",), None, None, verbose=False)
    with pytest.raises(click.UsageError, match="no symbols"):
        settings((), "iex", None, verbose=False)


def test_complaints_fit_a_line() -> None:
    async def main() -> None:
        async with Loopback(auth="auth_failed") as polygon, MarketData([polygon.provider]) as market:
            with pytest.raises(ConfigError) as caught:
                await market.subscribe("AAPL")
            assert complaints(market) == str(caught.value)
        async with Loopback(acks=False) as polygon, MarketData([polygon.provider]) as market:
            assert complaints(market) == ""
            assert complaints(market, everything=True) == "polygon: connecting"

    asyncio.run(main())


def test_ctrl_c_is_no_failure() -> None:
    ended = []

    async def main() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            ended.append(True)

    run(main())
    assert ended == [True]
