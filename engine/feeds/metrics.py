"""Numbers for monitoring: the Prometheus text format, written without a client library.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Metric", "line_metrics", "to_text"]

_STATES: Final = ("connecting", "live", "mute", "lagging", "quarantined", "down")
_QUANTILES: Final = (("p50", "0.5"), ("p95", "0.95"), ("p99", "0.99"), ("p99_9", "0.999"))
_S: Final = 1e9


class Metric(NamedTuple):
    """A family of numbers: ``kind`` is "counter", "gauge" or "summary"; values are (labels, number)."""

    name: str
    kind: str
    help: str
    values: list[tuple[dict[str, str], float]]


def line_metrics(health: Mapping[str, Mapping[str, Any]], latency: Mapping[str, Mapping[str, Any]]) -> list[Metric]:
    """What is known of the lines, by name: ``Lines.health`` and ``LineLatency.report``."""

    def each(key: str, scale: float = 1.0) -> list[tuple[dict[str, str], float]]:
        found = ((name, report.get(key)) for name, report in health.items())
        return [({"line": name}, value / scale) for name, value in found if value is not None]

    states = [
        ({"line": name, "state": state}, float(report["state"] == state))
        for name, report in health.items()
        for state in _STATES
    ]
    metrics = [
        Metric("tickforge_line_state", "gauge", "1 for the state the line is in.", states),
        Metric("tickforge_line_score", "gauge", "Score of the line, 0 to 1.", each("score")),
        Metric("tickforge_line_age_seconds", "gauge", "Time since the line's last byte.", each("age_ns", _S)),
        Metric(
            "tickforge_line_delay_seconds", "gauge", "Receipt less stamp of its last message.", each("delay_ns", _S)
        ),
        Metric("tickforge_frames_total", "counter", "Frames received.", each("frames")),
        Metric("tickforge_updates_total", "counter", "Updates applied.", each("updates")),
        Metric(
            "tickforge_malformed_total", "counter", "Frames that could not be read to their end.", each("malformed")
        ),
        Metric("tickforge_gaps_total", "counter", "Times that messages were lost.", each("gaps")),
        Metric("tickforge_reconnects_total", "counter", "Connections after the first.", each("reconnects")),
        Metric("tickforge_suspect_total", "counter", "Updates that were not believed.", _suspects(health)),
    ]
    hops = sorted({hop for report in latency.values() for hop, found in report.items() if "p50" in _mapping(found)})
    metrics += [_latency(hop, latency) for hop in hops]
    return [metric for metric in metrics if metric.values]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _suspects(health: Mapping[str, Mapping[str, Any]]) -> list[tuple[dict[str, str], float]]:
    return [
        ({"line": name, "reason": reason}, float(count))
        for name, report in health.items()
        for reason, count in report.get("suspect", {}).items()
    ]


def _latency(hop: str, latency: Mapping[str, Mapping[str, Any]]) -> Metric:
    """A summary in seconds; quantiles and sum are of the line's whole life."""
    values: list[tuple[dict[str, str], float]] = []
    for name, report in latency.items():
        found = _mapping(report.get(hop))
        if not found.get("count"):
            continue
        values += [({"line": name, "quantile": q}, found[key] / _S) for key, q in _QUANTILES if found[key] is not None]
        values += [({"line": name, "": "_sum"}, found["mean"] * found["count"] / _S)]
        values += [({"line": name, "": "_count"}, found["count"])]
    return Metric(f"tickforge_latency_{hop}_seconds", "summary", f"Latency up to: {hop}.", values)


def to_text(metrics: Iterable[Metric]) -> str:
    """The exposition format. A label with an empty name is the ending of the metric's name."""
    lines = []
    for metric in metrics:
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.values:
            pairs = [f'{key}="{_escaped(text)}"' for key, text in labels.items() if key]
            shown = f"{{{','.join(pairs)}}}" if pairs else ""
            number = repr(float(value)) if value != int(value) else str(int(value))
            lines.append(f"{metric.name}{labels.get('', '')}{shown} {number}")
    return "\n".join(lines) + "\n" if lines else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
