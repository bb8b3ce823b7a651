from engine.feeds.metrics import Metric, line_metrics, to_text

HEALTH = {
    "polygon": {
        "state": "live",
        "score": 1.0,
        "age_ns": 1_500_000_000,
        "delay_ns": None,
        "frames": 12,
        "updates": 30,
        "suspect": {"crossed": 1, "scale": 0},
    },
    "ours": {"state": "mute", "score": 0.25, "age_ns": None, "updates": 1, "suspect": {}},
}
HOP = {"count": 4, "mean": 2000.0, "p50": 1500, "p95": None, "p99": 3000, "p99_9": 3000, "max": 3100}


def test_lines_become_families_with_labels() -> None:
    text = to_text(
        line_metrics(HEALTH, {"polygon": {"received": HOP, "relative_error": 0.0156, "clock": {"offset_ns": 1}}})
    )
    lines = text.splitlines()
    for expected in (
        "# TYPE tickforge_line_state gauge",
        'tickforge_line_state{line="polygon",state="live"} 1',
        'tickforge_line_state{line="polygon",state="mute"} 0',
        'tickforge_line_state{line="ours",state="mute"} 1',
        'tickforge_line_age_seconds{line="polygon"} 1.5',
        'tickforge_line_score{line="ours"} 0.25',
        "# TYPE tickforge_frames_total counter",
        'tickforge_frames_total{line="polygon"} 12',
        'tickforge_suspect_total{line="polygon",reason="crossed"} 1',
        "# TYPE tickforge_latency_received_seconds summary",
        'tickforge_latency_received_seconds{line="polygon",quantile="0.5"} 1.5e-06',
        'tickforge_latency_received_seconds_sum{line="polygon"} 8e-06',
        'tickforge_latency_received_seconds_count{line="polygon"} 4',
    ):
        assert expected in lines
    assert "delay" not in text  # nothing is known of it
    assert "0.95" not in text
    assert text.endswith("\n")


def test_every_line_is_a_comment_or_a_sample() -> None:
    names = set()
    for line in to_text(line_metrics(HEALTH, {})).splitlines():
        if line.startswith("# TYPE "):
            names.add(line.split()[2])
        elif not line.startswith("# HELP "):
            name, _, value = line.partition("{")
            assert name in names
            assert float(value.rpartition(" ")[2]) >= 0


def test_label_values_are_escaped() -> None:
    metric = Metric("a", "gauge", "b", [({"x": 'q"\\\n'}, 1), ({}, 0.5)])
    assert to_text([metric]) == '# HELP a b\n# TYPE a gauge\na{x="q\\"\\\\\\n"} 1\na 0.5\n'


def test_nothing_is_nothing() -> None:
    assert to_text(line_metrics({}, {})) == ""
