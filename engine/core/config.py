"""What a user sets: providers and their keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Final, Literal

__all__ = ["MASK", "Provider", "masked_url"]

MASK: Final = "***"  #: what stands for a secret wherever text is shown
_SECRET: Final = frozenset({"key", "secret"})
_QUERY: Final = re.compile(r"([?&][^=&#]*=)[^&#]*")
_USER: Final = re.compile(r"(?<=://)[^/?#]*@")


def masked_url(url: str) -> str:
    """A URL as it may be logged: user information and every value of its query are hidden."""
    return _QUERY.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", url))


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """One provider to connect to; None and empty mean the provider's usual.

    Args:
        name: "polygon", "alpaca", "finnhub", "iex", "schwab".
        url: where it is; "ws://", "wss://" or, for IEX, "udp://host:port". A URL without a path gets the feed's.
        key, secret: credentials. Never in ``repr``, logs or errors.
        feed: which of the provider's feeds: Alpaca "iex", "sip", "delayed_sip", "test", "crypto"; Polygon a host stem
            such as "socket" or "delayed"; IEX "tops" or "deep".
        codec: Alpaca's frames: "msgpack" or "json".
        channels: what to subscribe to, in the words of ``engine.feeds.protocol.CHANNELS``.
        symbol_limit: most symbols on the connection; the rest is refused here, before the provider does.
        line: name of the connection where one provider has several; "alpaca-sip" and the like by default.
    """

    name: str
    url: str | None = None
    key: str | None = None
    secret: str | None = None
    feed: str | None = None
    codec: Literal["json", "msgpack"] | None = None
    channels: tuple[str, ...] = ()
    symbol_limit: int | None = None
    line: str | None = None

    def __repr__(self) -> str:
        """The settings that are not the usual ones, secrets masked."""
        shown = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value in {None, ()}:
                continue
            if field.name in _SECRET:
                value = MASK
            elif field.name == "url":
                value = masked_url(value)
            shown.append(f"{field.name}={value!r}")
        return f"Provider({', '.join(shown)})"
