"""Finnhub's official client, REST only: ``finnhub_client.py REST_URL``."""

import json
import sys
import time

import finnhub

finnhub.Client.API_URL = sys.argv[1]
client = finnhub.Client("some token")
now = int(time.time())
told = {
    "quote": client.quote("AAPL"),
    "candles": client.stock_candles("AAPL", "1", now - 3_600, now + 60),
    "nothing": client.stock_candles("NOSUCH", "1", now - 3_600, now),
    "status": 0,
}
try:
    client.company_profile2(symbol="AAPL")
except finnhub.FinnhubAPIException as error:
    told["status"] = error.status_code
sys.stdout.write(json.dumps(told) + "\n")
