"""MeatPy on a capture: ``meatpy_client.py FILE``."""

import json
import sys
from collections import defaultdict

from meatpy.iex_deep import IEXDEEPMessageReader

told = {"messages": 0, "trades": 0, "directory": set(), "states": set()}
books = defaultdict(dict)
for message in IEXDEEPMessageReader().read_file(sys.argv[1]):
    told["messages"] += 1
    kind = message.message_type
    symbol = getattr(message, "symbol", b"").decode().strip()
    if kind == b"T":
        told["trades"] += 1
    elif kind == b"D":
        told["directory"].add(symbol)
    elif kind == b"H":
        told["states"].add(symbol)
    elif kind in {b"8", b"5"}:
        books[f"{symbol} {'BID' if kind == b'8' else 'ASK'}"][message.price] = message.size
told |= {"directory": sorted(told["directory"]), "states": sorted(told["states"])}
told["levels"] = {key: [[price, size] for price, size in book.items() if size] for key, book in books.items()}
sys.stdout.write(json.dumps(told) + "\n")
