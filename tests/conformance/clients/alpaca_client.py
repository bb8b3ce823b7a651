"""Alpaca's official client: ``alpaca_client.py WS_URL REST_URL``, or "refused" to expect a refusal."""

import asyncio
import json
import sys

from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.live import StockDataStream
from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest
from alpaca.data.timeframe import TimeFrame

url, rest = sys.argv[1:]
told = {"quotes": [], "trades": [], "after": []}
stopped = False


async def stream():
    client = StockDataStream("key", "secret", url_override=url)
    if rest == "refused":
        try:
            await client._start_ws()
        except ValueError as error:
            told["refused"] = str(error)
        await client.close()
        return

    async def take_quote(quote):
        row = [quote.symbol, quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size]
        told["after" if stopped else "quotes"].append(row)

    async def take_trade(trade):
        told["trades"].append([trade.symbol, trade.price, trade.size])

    client.subscribe_quotes(take_quote, "*")
    client.subscribe_trades(take_trade, "*")
    running = asyncio.ensure_future(client._run_forever())
    while len(told["quotes"]) < 100 or len(told["trades"]) < 10:
        await asyncio.sleep(0.05)
    await client._send_unsubscribe_msg("quotes", ["*"])
    await asyncio.sleep(0.5)  # what was on its way
    globals()["stopped"] = True
    await asyncio.sleep(0.5)
    await client.stop_ws()
    await asyncio.wait_for(running, 20)


asyncio.run(stream())
if rest != "refused":
    client = StockHistoricalDataClient("key", "secret", url_override=rest)
    bars = client.get_stock_bars(StockBarsRequest(symbol_or_symbols=["AAPL", "MSFT"], timeframe=TimeFrame.Minute))
    told["bars"] = sum(len(rows) for rows in bars.data.values())
    latest = client.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))["AAPL"]
    told["latest"] = [latest.bid_price, latest.ask_price]
sys.stdout.write(json.dumps(told) + "\n")
