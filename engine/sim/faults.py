"""What can go wrong on a provider's line: one grammar everywhere, and schedules drawn from a seed.

A fault is text such as ``mute polygon at=2s for=1s``: kind, line, then settings; several are separated by ``;`` or
lines. ``at`` counts from the start of the market, ``for`` is how long it lasts. The settings of each kind:

================  ====================================================================================================
disconnect        ``close=no`` drops the connection without a close frame; ``code=1001`` is what the close frame says
half_open         the connections of that moment go dead: nothing comes, nothing is answered; dropped when it ends
mute              market data is lost; status answers, pings and heartbeats go on
lag               ``by=500ms``: everything arrives later by that; nothing overtakes
jitter            ``by=50ms``: everything arrives later by 0 to that, drawn for each frame; nothing overtakes
duplicate         ``rate=10``: of 100 market data frames so many arrive twice
reorder           ``rate=10``: of 100 market data frames so many arrive after the one that follows
truncate          ``rate=10``: of 100 market data frames so many are cut at a place that is drawn
wrong_scale       ``factor=100``: prices are multiplied by it; ``1/100`` and such are allowed
crossed           bids and asks change places; IEX shows bids above its best ask
clock_skew        ``by=2s`` or ``by=-2s``: the provider's stamps are off by that
slow_reader_kill  the provider drops its clients as too slow for it
auth_refusal      logins are refused; ``reason=plan`` says that the plan lacks it. Clients are dropped when it begins
connection_limit  somebody else holds the connections of every key: each provider does what it does then
throttle          handshakes are refused with HTTP 429; clients are dropped when it begins
huge_frame        one frame of ``size=4000000`` bytes arrives; of a datagram line at most 60,000
halt              no fault: the line says that trading is halted, is silent until the end, and says that it resumes
================  ====================================================================================================

A broker's line knows disconnect, half_open, lag, duplicate, reorder, clock_skew and throttle too, and these. Of 100
cases ``rate=`` meet the fault; all of them unless it is given.

================  ====================================================================================================
lost_response     the broker does what was asked, and its answer is lost
reject            new orders are refused
early_fill        answers come ``by=50ms`` later than the events behind them: a fill before its order is acknowledged
late_cancel       a cancel waits ``by=300ms``, and the order may fill meanwhile
false_cancel      a cancel is confirmed, but the order stays where it is and may fill
swallow           what happens to orders is not told, while answers and heartbeats go on
partial           a fill is cut into up to four executions
bust              one execution of the last minute did not happen, it says
================  ====================================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from engine.core.units import NANOS, Duration, duration_ns
from engine.errors import ConfigError
from engine.sim.draws import Draws

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BROKER_KINDS", "DRAWN", "KINDS", "MOMENTS", "Fault", "FaultKind", "faults", "impossible", "parse_faults"]

FaultKind = Literal[
    "disconnect",
    "half_open",
    "mute",
    "lag",
    "jitter",
    "duplicate",
    "reorder",
    "truncate",
    "wrong_scale",
    "crossed",
    "clock_skew",
    "slow_reader_kill",
    "auth_refusal",
    "connection_limit",
    "throttle",
    "huge_frame",
    "halt",
    "lost_response",
    "reject",
    "early_fill",
    "late_cancel",
    "false_cancel",
    "swallow",
    "partial",
    "bust",
]
_ALL: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
_BROKERS_ONLY: Final = _ALL[_ALL.index("lost_response") :]
KINDS: Final = _ALL[: _ALL.index("lost_response")]  #: what a provider's line may have
DRAWN: Final[tuple[FaultKind, ...]] = tuple(kind for kind in KINDS if kind != "halt")  #: what schedules have
#: what a broker's line may have
BROKER_KINDS: Final[tuple[FaultKind, ...]] = (
    "disconnect",
    "half_open",
    "lag",
    "duplicate",
    "reorder",
    "clock_skew",
    "throttle",
    *_BROKERS_ONLY,
)
MOMENTS: Final = frozenset({"disconnect", "slow_reader_kill", "huge_frame", "bust"})  #: they happen and do not last
_SETTINGS: Final = {
    "disconnect": ("close", "code"),
    "lag": ("by",),
    "jitter": ("by",),
    "duplicate": ("rate",),
    "reorder": ("rate",),
    "truncate": ("rate",),
    "wrong_scale": ("factor",),
    "clock_skew": ("by",),
    "auth_refusal": ("reason",),
    "huge_frame": ("size",),
    "lost_response": ("rate",),
    "reject": ("rate",),
    "early_fill": ("by", "rate"),
    "late_cancel": ("by", "rate"),
    "false_cancel": ("rate",),
    "swallow": ("rate",),
    "partial": ("rate",),
}
_BY: Final = {
    "lag": NANOS // 2,
    "jitter": NANOS // 20,
    "clock_skew": 2 * NANOS,
    "early_fill": NANOS // 20,
    "late_cancel": 3 * NANOS // 10,
}
#: of a line without connections
_NEEDS_CONNECTION: Final = frozenset(
    {"disconnect", "half_open", "slow_reader_kill", "auth_refusal", "connection_limit", "throttle"}
)
_STREAM: Final = 1 << 40  # streams of the seed that markets leave alone


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one line. Times are ns; ``at`` counts from the start of the market.

    ``rate`` is in percent, ``by`` a delay or an error of the clock, ``size`` in bytes; what a kind does not use keeps
    its default. ``str(fault)`` is the text that means it.
    """

    kind: FaultKind
    line: str
    at: int = 0
    duration: int = 0
    by: int = 0
    rate: int = 10
    factor: Fraction = Fraction(100)
    close: bool = True
    code: int = 1001
    reason: str = "key"
    size: int = 4_000_000

    def __str__(self) -> str:
        parts = [self.kind, self.line, f"at={_text(self.at)}"]
        if self.duration:
            parts.append(f"for={_text(self.duration)}")
        for name in _SETTINGS.get(self.kind, ()):
            value = getattr(self, name)
            parts.append(
                f"{name}={_text(value) if name == 'by' else ('no', 'yes')[value] if name == 'close' else value}"
            )
        return " ".join(parts)

    @property
    def end(self) -> int:
        """When it is over, ns from the start of the market."""
        return self.at + self.duration


def parse_faults(spec: str | Iterable[str | Fault], lines: Sequence[str] | None = None) -> tuple[Fault, ...]:
    """The faults of a text, or of several, in the order of their times.

    Args:
        spec: ``;`` and line ends separate faults; ``#`` begins a comment.
        lines: names of the lines there are; None allows any.

    Raises:
        ConfigError: names the word, its place and what was allowed there.
    """
    found: list[Fault] = []
    for item in [spec] if isinstance(spec, str) else spec:
        if isinstance(item, Fault):
            found.append(item)
            continue
        for row, line in enumerate(item.splitlines() or [""], 1):
            for match in re.finditer(r"[^;]+", line.split("#")[0]):
                words = [(word[0], match.start() + word.start() + 1) for word in re.finditer(r"\S+", match[0])]
                if words:
                    found.append(_parse(words, row, lines))
    return tuple(sorted(found, key=lambda fault: fault.at))


def _parse(words: list[tuple[str, int]], row: int, lines: Sequence[str] | None) -> Fault:
    kind, column = words[0]
    if kind not in _ALL:
        raise _error(f"fault {kind!r}", f"one of {', '.join(_ALL)}", row, column)
    if len(words) == 1 or "=" in words[1][0]:
        place = words[1][1] if len(words) > 1 else column + len(kind)
        raise _error(f"fault {kind!r} names no line", _lines_text(lines), row, place)
    line, column = words[1]
    if lines is not None and line not in lines:
        raise _error(f"line {line!r}", _lines_text(lines), row, column)
    values: dict[str, Any] = {"by": _BY.get(kind, 0)} | ({"rate": 100} if kind in _BROKERS_ONLY else {})
    seen: set[str] = set()
    allowed = ("at", *(() if kind in MOMENTS else ("for",)), *_SETTINGS.get(kind, ()))
    for word, column in words[2:]:
        name, equals, text = word.partition("=")
        if not equals or name not in allowed or name in seen:
            raise _error(
                f"setting {word!r} of {kind}", f"each once of {', '.join(f'{each}=' for each in allowed)}", row, column
            )
        seen.add(name)
        try:
            values[{"for": "duration"}.get(name, name)] = _value(name, text, signed=kind == "clock_skew")
        except ValueError as error:
            raise _error(f"setting {word!r} of {kind}", str(error), row, column) from None
    if kind not in MOMENTS and not values.get("duration"):
        raise _error(
            f"fault {kind!r} lasts no time", "a duration such as for=1s", row, words[-1][1] + len(words[-1][0])
        )
    return Fault(kind, line, **values)


def _value(name: str, text: str, *, signed: bool) -> Any:
    """What a setting means; ValueError says what was expected."""
    if name in {"at", "for", "by"}:
        negative = signed and text.startswith("-")
        try:
            count = duration_ns(text.removeprefix("-") if negative else text, name)
        except ValueError:
            raise ValueError("a duration such as 250ms or 2s") from None
        return -count if negative else count
    if name == "close":
        if text not in {"yes", "no"}:
            raise ValueError("yes or no")
        return text == "yes"
    if name == "reason":
        if text not in {"key", "plan"}:
            raise ValueError("key or plan")
        return text
    if name == "factor":
        match = re.fullmatch(r"(\d{1,9})(?:/(\d{1,9}))?", text)
        if match is None or not int(match[1]) or not int(match[2] or 1):
            raise ValueError("a factor such as 100 or 1/100")
        return Fraction(int(match[1]), int(match[2] or 1))
    low, high = {"rate": (1, 100), "code": (1000, 4999), "size": (1_000, 64_000_000)}[name]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"a whole number of {low} to {high}")
    return int(text)


def _error(what: str, allowed: str, row: int, column: int) -> ConfigError:
    return ConfigError(f"faults, line {row}, column {column}: {what}; expected {allowed}")


def _lines_text(lines: Sequence[str] | None) -> str:
    return "the name of a line" if lines is None else f"one of {', '.join(lines)}"


def impossible(kind: FaultKind, line: str) -> str:
    """Why a line cannot have such a fault; "" if it can."""
    if line.startswith("iex") and kind in _NEEDS_CONNECTION:
        return f"{line} sends datagrams, it has no connections or logins"
    if line.startswith("finnhub") and kind == "crossed":
        return f"{line} carries no quotes"
    if kind == "halt" and not line.startswith(("alpaca", "iex")):
        return f"{line} does not tell of halts"
    return ""


def _text(count: int) -> str:
    """A duration in the largest unit that is whole."""
    for unit, size in (("s", NANOS), ("ms", 1_000_000), ("us", 1_000)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}ns"


def faults(
    seed: int,
    providers: Sequence[str],
    duration: Duration,
    *,
    kinds: Sequence[FaultKind] = DRAWN,
    count: int | None = None,
    longest: Duration = "2s",
) -> tuple[Fault, ...]:
    """A schedule drawn from a seed: the same arguments, the same faults.

    Args:
        seed: 0 <= seed < 2^64.
        providers: names of the lines.
        duration: of the market; faults begin between 10 % and 70 % of it and end by 80 %.
        kinds: what may happen.
        count: how many; None draws 1 to 6.
        longest: the longest a fault lasts.
    """
    length, most = duration_ns(duration), duration_ns(longest, "longest")
    draws = Draws(seed, _STREAM)
    found = []
    for _ in range(1 + draws.below(6) if count is None else count):
        line = providers[draws.below(len(providers))]
        possible = [kind for kind in kinds if not impossible(kind, line)]
        kind = possible[draws.below(len(possible))]
        at = _rounded(length // 10 + draws.below(max(1, length * 6 // 10)))
        span = _rounded(max(_MILLISECOND, min(most, length // 10 + draws.below(most), length * 8 // 10 - at)))
        values: dict[str, Any] = {"by": _BY.get(kind, 0)}
        if kind in _BROKERS_ONLY:
            values["rate"] = 20 + draws.below(81)
        elif kind in {"lag", "jitter"}:
            values["by"] = _rounded(_MILLISECOND * (10 + draws.below(1_500 if kind == "lag" else 200)))
        elif kind == "clock_skew":
            values["by"] = _rounded(NANOS // 10 + draws.below(5 * NANOS)) * (1 if draws.below(2) else -1)
        elif kind in {"duplicate", "reorder", "truncate"}:
            values["rate"] = 1 + draws.below(40)
        elif kind == "wrong_scale":
            values["factor"] = (Fraction(100), Fraction(1, 100), Fraction(10), Fraction(2))[draws.below(4)]
        elif kind == "disconnect":
            values["close"] = bool(draws.below(2))
        elif kind == "huge_frame":
            values["size"] = 100_000 << draws.below(7)
        found.append(Fault(kind, line, at, 0 if kind in MOMENTS else span, **values))
    return tuple(sorted(found, key=lambda fault: fault.at))


_MILLISECOND: Final = NANOS // 1_000


def _rounded(count: int) -> int:
    return count // _MILLISECOND * _MILLISECOND
