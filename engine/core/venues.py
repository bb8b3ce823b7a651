"""Numbers for venues and providers: the ``venue`` and ``provider`` fields of the record.

A venue is where liquidity rests, a provider is who sold us the bytes. Well-known venues have fixed numbers; any other
name gets one computed from its letters, so that numbers agree between processes and tapes.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from engine.errors import ConfigError

__all__ = ["PROVIDERS", "VENUES", "provider_id", "provider_name", "venue_id", "venue_name"]

#: Fixed venue numbers, by ISO 10383 market identifier code.
VENUES: Final = MappingProxyType(
    {
        "XNAS": 1,
        "XNYS": 2,
        "ARCX": 3,
        "BATS": 4,
        "BATY": 5,
        "EDGA": 6,
        "EDGX": 7,
        "IEXG": 8,
        "MEMX": 9,
        "EPRL": 10,
        "XBOS": 11,
        "XPSX": 12,
        "XCHI": 13,
        "XASE": 14,
        "XCIS": 15,
        "LTSE": 16,
        "FINN": 17,
        "FINY": 18,
        "FINC": 19,
        "OTCM": 20,
        "XCBO": 21,
        "XCME": 22,
        "BNCE": 23,
        "CBSE": 24,
        "KRKN": 25,
        "BSTP": 26,
    }
)
#: Provider numbers; 128 and above are the user's own.
PROVIDERS: Final = MappingProxyType(
    {
        "none": 0,
        "polygon": 1,
        "alpaca": 2,
        "finnhub": 3,
        "iex": 4,
        "schwab": 5,
        "nasdaq": 6,
        "lobster": 7,
        "simulation": 8,
    }
)
_HASHED: Final = 0x8000
_NAME: Final = re.compile(r"[A-Z0-9]{1,8}")
_OWN: Final = re.compile(r"own-(\d{3})")
_PROVIDER_NAMES: Final = {number: name for name, number in PROVIDERS.items()}
_venue_names: dict[int, str] = {number: name for name, number in VENUES.items()}


def _hashed_id(name: str) -> int:
    """FNV-1a of 32 bits, folded to 15, with the top bit set: never the number of a well-known venue."""
    value = 0x811C9DC5
    for letter in name.encode("ascii"):
        value = (value ^ letter) * 0x01000193 & 0xFFFFFFFF
    return _HASHED | (value ^ value >> 15 ^ value >> 30) & 0x7FFF


def venue_id(name: str) -> int:
    """The number of a venue; a name that is not well known is registered on first use.

    Raises:
        ValueError: not 1 to 8 characters of A-Z and 0-9.
        TypeError: no text.
        ConfigError: another registered name has the same computed number.
    """
    if not isinstance(name, str):
        raise TypeError(f"venue is {name!r}; expected text of 1 to 8 characters")
    if (number := VENUES.get(name)) is not None:
        return number
    if not _NAME.fullmatch(name):
        raise ValueError(f"venue is {name!r}; expected 1 to 8 characters of A-Z and 0-9")
    number = _hashed_id(name)
    if (holder := _venue_names.setdefault(number, name)) != name:
        raise ConfigError(f"venues {holder!r} and {name!r} have the same number {number}; rename one of them")
    return number


def venue_name(number: int) -> str:
    """The name of a venue number.

    Raises:
        KeyError: no well-known or registered venue has it.
    """
    try:
        return _venue_names[number]
    except KeyError:
        raise KeyError(f"venue {number} is not known here; name it once with venue_id") from None


def provider_id(name: str | int) -> int:
    """The number of a provider; integers from 128 to 255 and "own-128" to "own-255" are the user's own.

    Raises:
        ValueError: an unknown name or a number outside 0 to 255.
    """
    if isinstance(name, int):
        if name in _PROVIDER_NAMES or 128 <= name <= 255:
            return name
        raise ValueError(f"provider is {name}; expected 0 to {max(_PROVIDER_NAMES)} or 128 to 255")
    if (match := _OWN.fullmatch(name)) and 128 <= int(match[1]) <= 255:
        return int(match[1])
    try:
        return PROVIDERS[name]
    except KeyError:
        raise ValueError(f"provider is {name!r}; expected one of {', '.join(PROVIDERS)}, or 128 to 255") from None


def provider_name(number: int) -> str:
    """The name of a provider number, ``own-128`` and so on for the user's own."""
    if 128 <= number <= 255:
        return f"own-{number}"
    try:
        return _PROVIDER_NAMES[number]
    except KeyError:
        raise KeyError(f"provider {number} is not known") from None
