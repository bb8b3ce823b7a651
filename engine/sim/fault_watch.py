"""When a client noticed each fault that was injected, and when it was over it, from reports of the lines' health."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.units import NANOS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.sim.faults import Fault

__all__ = ["FaultWatch"]

_MS: Final = NANOS // 1_000
_BROKEN: Final = frozenset(
    {"disconnect", "half_open", "slow_reader_kill", "auth_refusal", "connection_limit", "throttle", "truncate"}
)
#: kind -> counters whose rise shows it; besides, every state but live does
_COUNTERS: Final[Mapping[str, tuple[str, ...]]] = {
    "duplicate": ("duplicates",),
    "reorder": ("reordered", "replayed", "gaps", "duplicates"),
    "truncate": ("malformed", "gaps"),
    "wrong_scale": ("scale", "crossed"),
    "crossed": ("crossed", "scale"),
    "clock_skew": ("reordered", "replayed"),
}


class FaultWatch:
    """Told of health again and again, it dates what became of each fault.

    *Detected*: after the fault began its line is not live, or a counter that shows such a fault has risen, or stamps
    are off by half of what was injected; what shows an earlier fault that still lasts shows this one, too. *Recovered*:
    the line is live after the fault has ended.

    Args:
        faults: what is injected.
        start: when the market began, ns: ``Fault.at`` counts from there.
    """

    def __init__(self, faults: Sequence[Fault], start: int) -> None:
        self.faults = list(faults)
        self._start = start
        self._before: list[dict[str, int] | None] = [None] * len(self.faults)  # signs when it began
        self._detected: list[int | None] = [None] * len(self.faults)
        self._recovered: list[int | None] = [None] * len(self.faults)

    def look(self, now: int, health: Mapping[str, Mapping[str, Any]]) -> None:
        """Takes ``market.health()`` at ``now``; often enough, for dates are those of looks."""
        elapsed = now - self._start
        for number, fault in enumerate(self.faults):
            report = health[fault.line]
            if elapsed < fault.at or self._recovered[number] is not None:
                continue
            signs = _signs(report)
            before = self._before[number]
            if before is None:
                before = self._before[number] = signs
            if self._detected[number] is None and _shows(fault, report, before, signs):
                self._detected[number] = elapsed - fault.at
            live = report["state"] == "live" and report["phase"] == "ready"
            if live and elapsed >= fault.end and (self._detected[number] is not None or elapsed >= fault.end + NANOS):
                self._recovered[number] = 0 if self._detected[number] is None else elapsed - fault.end

    def report(self) -> list[dict[str, Any]]:
        """A row a fault: ``kind, provider, at_ms, for_ms, detected_ms, recovered_ms``.

        The last two count from the fault's beginning and its end; None: not yet, or nothing shows it (a duplicate that
        a provider does not number changes nothing).
        """
        return [
            {
                "kind": fault.kind,
                "provider": fault.line,
                "at_ms": fault.at // _MS,
                "for_ms": fault.duration // _MS,
                "detected_ms": _rounded(detected),
                "recovered_ms": _rounded(recovered),
            }
            for fault, detected, recovered in zip(self.faults, self._detected, self._recovered, strict=True)
        ]


def _rounded(ns: int | None) -> int | None:
    return None if ns is None else ns // _MS


def _signs(report: Mapping[str, Any]) -> dict[str, int]:
    """The counters of a report that faults raise."""
    counts = {
        name: int(report.get(name) or 0) for name in ("malformed", "gaps", "reconnects", "duplicates", "reordered")
    }
    decoder = report.get("decoder", {})
    counts["duplicates"] += int(decoder.get("duplicates", 0))
    counts["bytes"] = int(decoder.get("bytes", 0))
    counts["delay"] = int(report.get("delay_ns") or 0)
    return counts | {name: int(value) for name, value in report.get("suspect", {}).items()}


def _shows(fault: Fault, report: Mapping[str, Any], before: Mapping[str, int], now: Mapping[str, int]) -> bool:
    if fault.kind == "mute":
        return bool(report["state"] == "mute")
    if fault.kind == "huge_frame":
        return now["bytes"] - before["bytes"] >= min(fault.size, 1_000)
    if report["state"] != "live" or report["phase"] != "ready":
        return True
    if fault.kind in {"lag", "jitter", "clock_skew"} and abs(now["delay"] - before["delay"]) >= abs(fault.by) // 2:
        return True
    names = ("reconnects",) if fault.kind in _BROKEN else ()
    return any(now.get(name, 0) > before.get(name, 0) for name in (*names, *_COUNTERS.get(fault.kind, ())))
