"""``engine stream``: lines of JSON or text, and one clear line for each way to fail."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from engine.cli import main, stream
from engine.market import MarketData
from tests.cli.live import Served, documents, invoke
from tests.loopback import Loopback


def test_json_is_a_document_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served() as polygon:
        result = invoke(
            monkeypatch, polygon.url, "stream", "AAPL", "--providers", "polygon", "--seconds", "0.3", "--json"
        )
    assert (result.exit_code, result.stderr) == (0, "")
    rows = documents(result)
    books = [row for row in rows if row["type"] == "book" and row["state"] == "live"]
    trades = [row for row in rows if row["type"] == "trade"]
    assert books
    assert trades
    assert books[0].keys() >= {"symbol", "bid", "bid_quantity", "ask", "ask_quantity", "ts_event", "missed"}
    assert (books[0]["symbol"], books[0]["ask"], trades[0]["price"]) == ("AAPL", 10.5, 10.25)


def test_a_pipe_gets_lines_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served() as polygon:
        result = invoke(monkeypatch, polygon.url, "stream", "AAPL", "--providers", "polygon", "--seconds", "0.3")
    assert result.exit_code == 0
    assert "AAPL live 100 x 10.0" in result.stdout
    assert "AAPL trade 10.25 x 10 XNAS" in result.stdout


@pytest.mark.parametrize(
    ("options", "arguments", "key", "message"),
    [
        ({}, ["AAPL"], None, "polygon: no key: set TICKFORGE_POLYGON_KEY or POLYGON_API_KEY"),
        ({"auth": "auth_failed"}, ["AAPL"], "hush", "polygon: "),
        ({}, ["ZZZZ", "--timeout", "0.3"], "hush", "no data of ZZZZ from polygon within 0.3 s: no such symbol there"),
        ({}, ["NO SUCH"], "hush", "symbol"),
        ({"acks": False}, ["AAPL", "--timeout", "0.3"], "hush", "no connection within 0.3 s"),
    ],
    ids=["no key", "wrong key", "unknown symbol", "no symbol", "no answer"],
)
def test_each_way_to_fail_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], arguments: list[str], key: str | None, message: str
) -> None:
    with Served(**options) as polygon:
        result = invoke(monkeypatch, polygon.url, "stream", *arguments, "--providers", "polygon", key=key)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("engine: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_no_network_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served() as polygon:
        url = polygon.url
    result = invoke(monkeypatch, url, "stream", "AAPL", "--providers", "polygon", "--timeout", "0.3")  # nobody is there
    assert result.exit_code == 2
    assert result.stderr.startswith("engine: no connection within 0.3 s: polygon: dropped: ")
    assert result.stderr.count("\n") == 1


def test_one_symbol_without_data_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with Served() as polygon:
        arguments = (
            "stream",
            "AAPL",
            "ZZZZ",
            "--providers",
            "polygon",
            "--seconds",
            "0.2",
            "--timeout",
            "0.3",
            "--json",
        )
        result = invoke(monkeypatch, polygon.url, *arguments)
    assert result.exit_code == 0
    assert result.stderr == "engine: no data of ZZZZ yet: no such symbol there, or a closed market\n"
    assert {row["symbol"] for row in documents(result)} == {"AAPL"}


def test_without_providers_or_symbols_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    result = invoke(monkeypatch, "ws://here", "stream", "AAPL", key=None)
    assert result.exit_code == 2
    assert "engine: no provider: give --providers with some of polygon, alpaca, finnhub, iex" in result.stderr
    result = invoke(monkeypatch, "ws://here", "stream")
    assert result.exit_code == 2
    assert "no symbols; expected such as AAPL" in result.stderr
    result = CliRunner().invoke(main, ["stream", "AAPL", "--config", "absent.toml"])
    assert result.stderr == "engine: absent.toml: cannot be read: No such file or directory\n"


def test_the_table_shows_books_and_lines() -> None:
    def drawn(market: MarketData, symbols: list[str]) -> str:
        console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        with console.file:
            console.print(stream._screen(market, symbols, 3))
        return console.export_text()

    async def main() -> None:
        async with Loopback() as polygon, MarketData([polygon.provider]) as market, asyncio.timeout(30):
            await market.subscribe(["AAPL", "MSFT"])
            await polygon.quote("AAPL", 10.0, 10.5)
            await market.ready("AAPL")
            one, many = drawn(market, ["AAPL"]), drawn(market, ["AAPL", "MSFT"])
        for text in ("AAPL  live", "bid size", "100 ", "10.5", "polygon", "live", "last byte", "p50"):
            assert text in one
        for text in ("AAPL", "MSFT", "empty", "487.80"):
            assert text in many

    asyncio.run(main())
