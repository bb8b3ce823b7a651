"""Massive's official client: ``massive_client.py HOST:PORT REST_URL``, or "refused" to expect a refusal."""

import asyncio
import contextlib
import json
import sys
import time

from massive import RESTClient, WebSocketClient
from massive.exceptions import AuthError

host, rest = sys.argv[1:]
told = {"quotes": [], "trades": [], "bars": 0}


async def stream():
    client = WebSocketClient(
        "some key", feed=host, market="stocks", secure=False, subscriptions=["T.*", "Q.*", "A.AAPL"]
    )

    async def take(messages):
        for message in messages:
            if message.event_type == "Q":
                quote = [message.bid_price, message.bid_size, message.ask_price, message.ask_size]
                told["quotes"].append([message.symbol, *(value or 0 for value in quote)])
            elif message.event_type == "T":
                told["trades"].append([message.symbol, message.price, message.size])
            else:
                told["bars"] += 1
        if len(told["quotes"]) > 100 and len(told["trades"]) > 10 and told["bars"] > 1:
            await client.close()
            running.cancel()

    running = asyncio.ensure_future(client.connect(take))
    with contextlib.suppress(asyncio.CancelledError):
        await running


try:
    asyncio.run(stream())
except AuthError as error:
    told["refused"] = str(error)
if rest != "refused":
    client = RESTClient("some key", base=rest)
    now = int(time.time() * 1000)
    told["aggregates"] = len(list(client.list_aggs("AAPL", 1, "minute", now - 3_600_000, now)))
    last = client.get_last_quote("AAPL")
    told["nbbo"] = [last.bid_price, last.ask_price]
sys.stdout.write(json.dumps(told) + "\n")
