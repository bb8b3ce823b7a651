from itertools import pairwise

import pytest

from engine.core.backoff import BackoffPolicy
from engine.core.instruments import Instruments
from engine.errors import ConfigError
from engine.feeds.aggregator import Aggregator
from engine.feeds.lines import Close, LinePolicy, Lines, Open, Ping, Send
from engine.feeds.protocol import NEVER, LineFacts, Ready, Refused, Subscribed
from tests.feeds.scripted import MS, Pump, S, ScriptedComposer, ScriptedFeed, ScriptedProvider, market

POLICY = LinePolicy()


def state(lines, pump, name="a"):
    return lines.health(pump.now)[name]


def test_a_line_connects_logs_in_subscribes_and_is_live():
    pump, lines = market()
    assert state(lines, pump)["state"] == "connecting"
    pump.run(S)
    assert pump.providers[0].sent == ["login", "sub A"]
    assert state(lines, pump)["state"] == "live"
    assert state(lines, pump)["phase"] == "ready"
    assert lines.aggregator.composer.symbols == [{lines.aggregator.instruments["A"].id}]
    assert [type(notice) for _, notice in lines.take_notices()] == [Ready, Subscribed]
    assert lines.take_notices() == []


def test_symbols_come_and_go_while_it_runs():
    pump, lines = market()
    pump.run(S)
    lines.subscribe(["A", "B", "B"], pump.now)
    pump.run(S)
    assert pump.providers[0].sent[2:] == ["sub B"]
    assert len(lines.aggregator.composer.symbols[0]) == 2
    lines.unsubscribe(["A", "C"], pump.now)
    assert lines.aggregator.composer.symbols[0] == {lines.aggregator.instruments["B"].id}
    with pytest.raises(ValueError, match="symbol"):
        lines.subscribe(["no symbol"], pump.now)


def test_what_is_wanted_is_asked_again_after_a_reconnect():
    pump, lines = market()
    pump.run(S)
    pump.close(0, 1006, "gone")
    assert lines.aggregator.composer.told[-1] == ("reset", 0, pump.now)
    assert "closed with 1006: gone; again in" in state(lines, pump)["reason"]
    pump.run(S)
    assert pump.providers[0].sent == ["login", "sub A"] * 2
    assert state(lines, pump)["reconnects"] == 1
    assert lines.connection(0) == (2, 2)


def test_frames_go_to_the_composer_and_wake_the_adapter_only_where_they_hold_more():
    pump, lines = market()
    pump.run(S)
    assert [lines.received(0, b"u;u;u", pump.now) for _ in range(40)] == [3] * 40
    assert lines.aggregator.composer.counters[0]["updates"] == 120
    assert lines.received(0, b"u;gap;u", pump.now) == 2
    assert state(lines, pump)["gaps"] == 1
    assert lines.aggregator.composer.told[-1] == ("reset", 0, pump.now)


def test_backoff_grows_to_the_cap_and_is_spread_over_everything_below():
    waits = []
    for seed in range(40):
        pump, _lines = market(seed=seed)
        pump.providers[0].accepts = False
        pump.run(200 * S)
        opens = [now for now, _ in pump.of(Open)]
        waits.append([after - before - 20 * MS for before, after in pairwise(opens)])
    for attempt in range(7):
        bound = 250 * MS << attempt
        column = [row[attempt] for row in waits]
        assert 0 <= min(column) < bound // 4
        assert bound * 3 // 4 < max(column) <= bound
    assert max(max(row) for row in waits) <= POLICY.backoff.cap
    assert all(len(row) < 60 for row in waits)


def test_the_same_seed_gives_the_same_commands():
    def run(seed):
        pump, _lines = market(2, seed=seed)
        pump.providers[0].accepts = False
        pump.providers[1].closes = (1011, "")
        pump.run(60 * S)
        return pump.commands

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_stable_service_forgets_failures_and_short_service_does_not():
    pump, lines = market()
    provider = pump.providers[0]
    provider.closes = (1011, "restarting")
    pump.run(60 * S)
    many = provider.connections
    assert 5 < many < 40
    provider.closes = None
    pump.run(60 * S)
    assert state(lines, pump)["state"] == "live"
    pump.close(0)
    before = pump.now
    pump.run(S)
    assert pump.of(Open)[-1][0] - before <= BackoffPolicy().base


def test_a_wrong_key_ends_the_line_at_once():
    pump, lines = market()
    pump.providers[0].login = "refuse never 0"
    pump.run(3_600 * S)
    assert pump.providers[0].connections == 1
    assert state(lines, pump)["state"] == "down"
    assert state(lines, pump)["reason"] == "refused: wrong key"
    assert state(lines, pump)["error"] == "wrong key"
    assert lines.phase(0) == "refused"
    assert isinstance(lines.error(0), ConfigError)
    refused = [notice for _, notice in lines.take_notices() if isinstance(notice, Refused)]
    assert isinstance(refused[0].error, ConfigError)
    assert [type(command) for _, command in pump.commands] == [Open, Send, Close]


def test_a_handshake_refused_for_the_key_ends_it_as_well():
    pump, lines = market()
    pump.obey()
    pump.close(0, 401, "Unauthorized")
    pump.run(600 * S)
    assert state(lines, pump)["phase"] == "refused"
    lines.start(pump.now)
    assert isinstance(lines.take_commands()[0], Open)


def test_a_key_that_worked_before_is_tried_again_but_not_forever():
    pump, lines = market()
    pump.run(S)
    pump.providers[0].login = "refuse never 0"
    pump.close(0)
    pump.run(3_600 * S)
    assert pump.providers[0].connections == 2 + POLICY.backoff.login_retries
    assert state(lines, pump)["phase"] == "refused"
    waits = [now for now, _ in pump.of(Open)]
    assert all(b - a >= POLICY.backoff.slow for a, b in pairwise(waits[2:]))


def test_a_key_refused_for_a_while_recovers():
    pump, lines = market()
    pump.run(S)
    pump.providers[0].login = "refuse never 0"
    pump.close(0)
    pump.run(8 * S)
    pump.providers[0].login = "ok"
    pump.run(60 * S)
    assert state(lines, pump)["state"] == "live"
    assert state(lines, pump)["error"] is None


def test_a_connection_limit_asks_for_patience():
    pump, _lines = market()
    pump.providers[0].login = f"refuse slow {90 * S}"
    pump.run(200 * S)
    opens = [now for now, _ in pump.of(Open)]
    assert len(opens) in {2, 3}
    assert opens[1] - opens[0] >= 90 * S


@pytest.mark.parametrize(("retry", "most"), [("now", 12), ("usual", 12)])
def test_come_back_at_once_is_done_once_and_then_with_backoff(retry, most):
    pump, _lines = market()
    pump.run(20 * S)
    pump.providers[0].login = f"refuse {retry} 0"
    before = pump.now
    pump.frame(0, f"refuse {retry} 0".encode())
    pump.run(30 * S)
    opens = [now - before for now, _ in pump.of(Open)[1:]]
    assert (opens[0] == 0) == (retry == "now")
    assert 3 < len(opens) <= most


def test_symbols_refused_do_not_end_the_connection():
    pump, lines = market()
    pump.run(S)
    pump.frame(0, b"refuse-symbols A")
    assert state(lines, pump)["state"] == "live"
    assert lines.take_notices()[-1][1].symbols == ("A",)


def test_a_transport_that_does_not_come_up_is_given_up():
    pump, lines = market()
    pump.providers[0].delay = 3_600 * S
    pump.run(16 * S)
    assert pump.of(Close)[0][0] - pump.of(Open)[0][0] == POLICY.open_within
    assert "not connected within 15000 ms" in state(lines, pump)["reason"] or len(pump.of(Open)) > 1


def test_a_login_without_answer_is_given_up():
    pump, _lines = market()
    pump.providers[0].answers = False
    pump.run(15_010 * MS)
    assert pump.of(Close) == []
    pump.run(20 * MS)
    assert len(pump.of(Close)) == 1


def test_a_malformed_frame_keeps_what_was_whole_and_drops_the_connection():
    pump, lines = market()
    pump.run(S)
    pump.frame(0, b"u;u;bad;u")
    assert lines.aggregator.composer.counters[0]["updates"] == 2
    assert pump.of(Close)[0][1].code == 1007
    assert "malformed frame: no frame at byte 0" in state(lines, pump)["reason"]
    assert lines.received(0, b"u", pump.now) == 0
    pump.run(2 * S)
    assert state(lines, pump)["state"] == "live"
    assert state(lines, pump)["malformed"] == 1
    assert state(lines, pump)["score"] < 1


def test_pings_measure_the_way_and_find_half_open_lines():
    pump, lines = market(ping_every=10 * S)
    pump.run(25 * S)
    assert len(pump.of(Ping)) == 2
    assert lines.latency(0).clock.report()["round_trip_ns"] is None  # no delay was seen yet
    assert lines.received(0, b"u", pump.now) == 1
    pump.providers[0].pongs = False
    pump.run(30 * S)
    reasons = [command for _, command in pump.of(Close)]
    assert len(reasons) == 1
    assert pump.providers[0].connections == 2


def test_a_line_without_any_byte_is_dead_where_the_provider_says_so():
    pump, _lines = market(silent_after=5 * S)
    pump.run(5 * S)
    assert pump.of(Close) == []
    pump.run(2 * S)
    assert len(pump.of(Close)) == 1


def two_lines(**keywords):
    pump, lines = market(2, **keywords)
    for provider in pump.providers:
        provider.every = 50 * MS
    pump.run(3 * S)
    assert {line["state"] for line in lines.health(pump.now).values()} == {"live"}
    return pump, lines


def test_a_mute_line_is_found_within_a_second_and_recovers():
    pump, lines = two_lines()
    pump.providers[0].every = 0
    muted = pump.now
    pump.run(S)
    assert state(lines, pump)["state"] == "mute"
    assert lines.aggregator.composer.trusted == [False, True]
    assert state(lines, pump)["since"] - muted <= 950 * MS
    pump.providers[0].every = 50 * MS
    pump.update(0)
    pump.run(2 * S)
    assert state(lines, pump)["state"] == "live"
    assert len(pump.of(Open)) == 1


def test_a_clock_set_back_stops_no_verdict_and_no_timer():
    pump, lines = two_lines()
    pump.close(0)  # waits to be opened again, and is on probation
    pump.now -= 3_600 * S
    pump._due = [(at - 3_600 * S, number, action) for at, number, action in pump._due]
    lines.timer(pump.now)
    assert lines.next_timer <= pump.now + 250 * MS
    pump.run(3 * S)
    assert [state(lines, pump, name)["state"] for name in "ab"] == ["live", "live"]
    pump.providers[0].every = 0
    pump.run(S)
    assert state(lines, pump)["state"] == "mute"
    assert 0 <= pump.now - state(lines, pump)["since"] <= S
    pump.providers[0].every = 50 * MS
    pump.update(0)
    pump.run(2 * S)
    assert state(lines, pump)["state"] == "live"
    assert len(pump.of(Close)) == 0


def test_a_mute_line_that_answers_no_ping_is_half_open():
    pump, lines = two_lines()
    pump.providers[0].every, pump.providers[0].pongs = 0, False
    pump.run(2_500 * MS)
    assert pump.of(Close)[0][0] - pump.of(Ping)[0][0] == POLICY.mute_pong_within
    assert len(pump.of(Open)) == 2
    pump.providers[0].every, pump.providers[0].pongs = 50 * MS, True
    pump.run(3 * S)
    assert state(lines, pump)["state"] == "live"


def test_a_line_that_stays_mute_is_connected_anew():
    pump, _lines = two_lines()
    pump.providers[0].every = 0
    pump.run(7 * S)
    assert len(pump.of(Open)) >= 2


def test_a_better_score_leads():
    pump, lines = two_lines()
    pump.close(0)
    pump.run(S)
    assert ("rank", 1, 0) in [told[:3] for told in lines.aggregator.composer.told]


def test_adapters_get_their_timers():
    pump, lines = market()
    pump.run(S)
    feed = lines._connections[0].feed
    feed.timer_at = pump.now + 3 * S
    pump.frame(0, b"ok")
    pump.run(2 * S)
    assert feed.timers == 0
    pump.run(2 * S)
    assert feed.timers == 1
    assert pump.providers[0].sent[-1] == "keep-alive"


def test_datagrams_have_no_pings_and_no_connection_to_drop():
    feed = ScriptedFeed("iex", LineFacts("depth", 8), "udp://127.0.0.1:1")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(S)
    pump.frame(0, b"u;u;bad")
    assert state(lines, pump, "iex")["state"] == "live"
    assert lines.aggregator.composer.told[-1] == ("reset", 0, pump.now)
    assert pump.of(Close) == []


def test_datagrams_that_do_not_come_make_the_line_mute_and_the_socket_stays():
    feed = ScriptedFeed("iex", LineFacts("depth", 8, silent_after=5 * S), "udp://127.0.0.1:1")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(4 * S)
    assert state(lines, pump, "iex")["state"] == "live"
    pump.run(60 * S)
    assert state(lines, pump, "iex")["state"] == "mute"
    assert state(lines, pump, "iex")["reason"] == "not a datagram for 5000 ms"
    assert state(lines, pump, "iex")["score"] >= 0.5
    assert pump.of(Close) == []
    assert len(pump.of(Open)) == 1
    pump.frame(0, b"u")
    pump.run(S)
    assert state(lines, pump, "iex")["state"] == "live"


def test_what_a_line_said_while_we_slept_is_heard_before_it_is_judged():
    """And datagrams that found no room meanwhile are not its fault."""
    feed = ScriptedFeed("iex", LineFacts("depth", 8, silent_after=5 * S), "udp://127.0.0.1:1")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(4 * S)
    pump.frame(0, b"u")
    pump.now += 7 * S  # the loop stood still
    lines.timer(pump.now)
    assert state(lines, pump, "iex")["state"] == "live"
    pump.frame(0, b"gap;u")
    pump.run(200 * MS)
    assert state(lines, pump, "iex")["state"] == "live"
    assert state(lines, pump, "iex")["score"] == 1
    pump.run(2 * S)
    pump.frame(0, b"gap;u")
    assert state(lines, pump, "iex")["score"] < 1


def test_a_loop_that_is_always_late_judges_all_the_same():
    feed = ScriptedFeed("iex", LineFacts("depth", 8, silent_after=5 * S), "udp://127.0.0.1:1")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(S)
    for _ in range(10):
        pump.now += S
        lines.timer(pump.now)
    assert state(lines, pump, "iex")["state"] == "mute"


def test_a_gap_between_datagrams_is_told_before_their_events_are_applied():
    feed = ScriptedFeed("iex", LineFacts("depth", 8), "udp://127.0.0.1:1")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(S)
    pump.frame(0, b"u;u")
    pump.frame(0, b"gap;u")
    assert lines.aggregator.composer.state == [1]


def test_delayed_data_never_enters_the_book():
    feed = ScriptedFeed("delayed", LineFacts("nbbo", live=False))
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()))
    pump = Pump(lines, [ScriptedProvider(every=100 * MS)])
    lines.subscribe(["A"], pump.now)
    lines.start(pump.now)
    pump.run(3 * S)
    assert lines.aggregator.composer.counters == []
    assert state(lines, pump, "delayed")["state"] == "live"
    assert state(lines, pump, "delayed")["frames"] > 20


def test_the_hops_of_every_frame_with_events_are_timed():
    ticks = iter(range(0, 100_000, 100))
    feed = ScriptedFeed("a")
    lines = Lines([feed], Aggregator(Instruments(), ScriptedComposer()), elapsed=lambda: next(ticks))
    pump = Pump(lines, [ScriptedProvider()])
    lines.start(pump.now)
    pump.run(S)
    for _ in range(64):
        pump.frame(0, b"u")
    report = lines.latency(0).report()
    assert report["decoded"]["count"] == report["applied"]["count"] == report["received"]["count"] == 64
    assert report["decoded"]["max"] == 100
    assert report["received"]["max"] == 5 * MS
    assert lines.intake(0).stamp == pump.now - 5 * MS


def test_stop_closes_and_start_opens_again():
    pump, lines = two_lines()
    lines.stop(pump.now)
    pump.obey()
    assert [len(pump.of(Close, line)) for line in (0, 1)] == [1, 1]
    assert lines.next_timer == NEVER
    assert state(lines, pump)["score"] == 1.0
    lines.closed(0, 1000, "", pump.now)
    assert lines.take_commands() == []
    lines.start(pump.now)
    pump.run(S)
    assert state(lines, pump)["state"] == "live"


def test_notices_nobody_takes_are_bounded():
    pump, lines = market(policy=LinePolicy(notices=3))
    pump.run(S)
    for _ in range(5):
        pump.frame(0, b"gap")
    assert len(lines.take_notices()) == 3
    assert lines.dropped_notices == 4


def test_secrets_are_not_shown():
    pump, lines = market()
    pump.run(S)
    assert "secret" not in repr(pump.commands)
    assert "secret" not in repr(lines.health(pump.now))
    assert "login" not in repr(pump.commands)


def test_an_aggregator_has_the_lines_of_one_machine():
    aggregator = Aggregator(Instruments(), ScriptedComposer())
    Lines([ScriptedFeed("a")], aggregator)
    with pytest.raises(ValueError, match="1 lines already"):
        Lines([ScriptedFeed("b")], aggregator)
