"""iex-parser on a capture: ``iex_parser_client.py FILE``."""

import json
import sys
from collections import defaultdict

from iex_parser import DEEP_1_0, Parser

told = {"messages": 0, "trades": 0, "directory": set(), "states": set()}
books = defaultdict(dict)
with Parser(sys.argv[1], DEEP_1_0) as reader:
    for message in reader:
        told["messages"] += 1
        kind, symbol = message["type"], message.get("symbol", b"")
        symbol = symbol.decode()
        if kind == "trade_report":
            told["trades"] += 1
        elif kind == "security_directive":
            told["directory"].add(symbol)
        elif kind == "trading_status":
            told["states"].add(symbol)
        elif kind == "price_level_update":
            side = {"B": "BID", "S": "ASK"}[
                message["side"] if isinstance(message["side"], str) else message["side"].decode()
            ]
            books[f"{symbol} {side}"][int(message["price"] * 10_000)] = message["size"]
told |= {"directory": sorted(told["directory"]), "states": sorted(told["states"])}
told["levels"] = {key: [[price, size] for price, size in book.items() if size] for key, book in books.items()}
sys.stdout.write(json.dumps(told) + "\n")
