"""One security, many spellings: BRK.B, BRK/B, BRK-B, BRK B.

The house's own spelling is root, dot, CMS suffix: ``BRK.B``, ``BAC.PRB`` (preferred, series B), ``AAC.WS`` (warrants),
``AAC.U`` (units); pairs are ``BTC-USD``. Each provider's spelling is one of the conventions below, and the way back
gives the same symbol. Text that is no US equity and no pair (``BINANCE:BTCUSDT``, ``O:SPY241220P00720000``) stays as
it is everywhere.

Sources: Nasdaq's "Ticker Symbol Convention" (CQS, CMS and Nasdaq integrated suffixes); IEX TOPS and DEEP use the
integrated one; Polygon the CQS one with dots; Schwab CMS behind a slash; Alpaca CMS behind a dot. Finnhub documents
``BRK.B`` only, its other suffixes are taken as CMS behind a dot.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["CONVENTIONS", "canonical", "from_wire", "to_wire"]

_MODIFIERS: Final = ("CV", "CL", "WI", "WD")  # convertible, called, when issued, when distributed: in this order
_BASES: Final = ("PR", "WS", "RT", "U", "EC", "PP", "TEST")  # what an issue is; anything else is a class letter
_LETTERED: Final = frozenset({"PR", "WS"})  # these may carry a series letter
_CURRENCIES: Final = "USDT|USDC|USD|EUR|GBP|JPY|BTC|ETH"
_PAIR: Final = re.compile(rf"([A-Z0-9]{{2,12}})[-/]({_CURRENCIES})")
_SYMBOL: Final = re.compile(r"[!-~]{1,32}")
_SPELLED: Final = re.compile(r"([A-Z0-9]{1,14})[./ -]([A-Z]{1,8})")
#: Suffixes that websites write behind a dash, as CMS suffixes.
_DASHED: Final = {"WT": "WS", "UN": "U", "RI": "RT", **{f"P{chr(code)}": f"PR{chr(code)}" for code in range(65, 91)}}


@dataclass(frozen=True, slots=True)
class _Issue:
    """A US equity taken apart: ``base`` one of _BASES or "" (common, or a class where ``letter`` is set)."""

    root: str
    base: str
    letter: str
    modifiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Convention:
    """How a convention writes each part; ``before_series`` stands between warrants and their series letter."""

    before_class: str
    bases: dict[str, str]
    modifiers: dict[str, str]
    before_series: str = ""

    def write(self, issue: _Issue) -> str:
        """The symbol as this convention spells it."""
        if issue.base:
            between = self.before_series if issue.base == "WS" and issue.letter else ""
            middle = self.bases[issue.base] + between + issue.letter
        else:
            middle = self.before_class + issue.letter if issue.letter else ""
        return issue.root + self._joined(middle, issue.modifiers)

    def _joined(self, middle: str, modifiers: tuple[str, ...]) -> str:
        return middle + "".join(self.modifiers[name] for name in modifiers)

    def pattern(self) -> re.Pattern[str]:
        """Matches what ``write`` writes, with groups root, class, the bases' letters, and one a modifier."""
        issues = [f"{re.escape(self.before_class)}(?P<class>[A-Z])"]
        for base, text in self.bases.items():
            between = re.escape(self.before_series) if base == "WS" else ""
            series = f"(?:{between}(?P<letter_{base}>[A-Z]))?" if base in _LETTERED else ""
            issues.insert(0, f"(?P<{base}>{re.escape(text)}){series}")
        after = "".join(f"(?P<{name}>{re.escape(self.modifiers[name])})?" for name in _MODIFIERS)
        return re.compile(rf"(?P<root>[A-Z0-9]{{1,14}})(?:{'|'.join(issues)})?{after}")


class _Cms(_Convention):
    """CMS: the suffix behind one separator, whatever it consists of."""

    def _joined(self, middle: str, modifiers: tuple[str, ...]) -> str:
        suffix = middle + "".join(modifiers)
        return self.before_class + suffix if suffix else ""

    def write(self, issue: _Issue) -> str:
        """The symbol as this convention spells it."""
        return issue.root + self._joined(issue.base + issue.letter, issue.modifiers)


def _cms(separator: str) -> _Convention:
    return _Cms(separator, {base: base for base in _BASES}, {name: name for name in _MODIFIERS})


_INTEGRATED: Final = _Convention(
    ".",
    {"PR": "-", "WS": "+", "RT": "^", "U": "=", "EC": "!", "PP": "@", "TEST": "~"},
    {"CV": "%", "CL": "*", "WI": "#", "WD": "$"},
)
_CQS: Final = _Convention(
    ".",
    {"PR": "p", "WS": ".WS", "RT": "r", "U": ".U", "EC": ".EC", "PP": ".PP", "TEST": ".TEST"},
    {"CV": ".CV", "CL": ".CL", "WI": "w", "WD": ".WD"},
    ".",
)
_DOTTED: Final = _cms(".")

#: Provider -> (convention of its equities, what stands between a pair's currencies; "" where it has no such pairs).
CONVENTIONS: Final[dict[str, tuple[_Convention, str]]] = {
    "polygon": (_CQS, "-"),
    "alpaca": (_DOTTED, "/"),
    "finnhub": (_DOTTED, ""),
    "iex": (_INTEGRATED, ""),
    "schwab": (_cms("/"), ""),
}
_SUFFIX: Final = re.compile(
    "(?:(?P<PR>PR)(?P<letter_PR>[A-Z])?|(?P<WS>WS)(?P<letter_WS>[A-Z])?|(?P<RT>RT)|(?P<EC>EC)|(?P<PP>PP)"
    "|(?P<TEST>TEST)|(?P<U>U)|(?P<class>[A-Z]))?(?P<CV>CV)?(?P<CL>CL)?(?P<WI>WI)?(?P<WD>WD)?"
)
_PATTERNS: Final = {id(kind): kind.pattern() for kind in (_INTEGRATED, _CQS)}


def _issue(root: str, found: re.Match[str]) -> _Issue:
    groups = found.groupdict()
    base = next((name for name in _BASES if groups[name]), "")
    letter = groups[f"letter_{base}"] if base in _LETTERED else groups["class"]
    return _Issue(root, base, letter or "", tuple(name for name in _MODIFIERS if groups[name]))


def _spelled(text: str) -> _Issue | None:
    """Root, one separator, CMS suffix; None for anything else."""
    if (parts := _SPELLED.fullmatch(text)) is None:
        return None
    root, suffix = parts.groups()
    if text[len(root)] == "-":
        suffix = _DASHED.get(suffix, suffix)
    found = _SUFFIX.fullmatch(suffix)
    return None if found is None else _issue(root, found)


@lru_cache(maxsize=65_536)
def canonical(symbol: str) -> str:
    """The house's spelling of a symbol, however it is written.

    Raises:
        ValueError: not 1 to 32 printable ASCII characters (one blank may stand before a suffix).
        TypeError: no text.
    """
    if not isinstance(symbol, str):
        raise TypeError(f"symbol is {symbol!r}; expected text")
    if pair := _PAIR.fullmatch(symbol):
        return "-".join(pair.groups())
    if (issue := _spelled(symbol)) is not None:
        return _DOTTED.write(issue)
    if not _SYMBOL.fullmatch(symbol):
        raise ValueError(f"symbol is {symbol!r}; expected 1 to 32 printable ASCII characters, such as AAPL or BRK.B")
    return symbol


@lru_cache(maxsize=65_536)
def to_wire(provider: str, symbol: str) -> str:
    """A symbol as a provider spells it.

    Raises:
        ValueError: no symbol (see ``canonical``), or one the provider has no spelling for.
        KeyError: an unknown provider.
    """
    convention, between = CONVENTIONS[provider]
    symbol = canonical(symbol)
    if pair := _PAIR.fullmatch(symbol):
        if not between:
            raise ValueError(f"symbol is {symbol!r}; {provider} has no such pairs")
        return between.join(pair.groups())
    issue = _spelled(symbol)
    return symbol if issue is None else convention.write(issue)


@lru_cache(maxsize=65_536)
def from_wire(provider: str, text: str) -> str:
    """The house's spelling of a provider's symbol; what is no equity and no pair stays as it is."""
    convention, between = CONVENTIONS[provider]
    if between and (pair := _PAIR.fullmatch(text)) and between in text:
        return "-".join(pair.groups())
    if isinstance(convention, _Cms):
        issue = _spelled(text) if convention.before_class in text else None
    else:
        found = _PATTERNS[id(convention)].fullmatch(text)
        issue = None if found is None else _issue(found["root"], found)
    return text if issue is None else _DOTTED.write(issue)
