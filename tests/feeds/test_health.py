from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.feeds.health import LineHealth, Reading, Rules

MS = 1_000_000
S = 1_000_000_000
START = 1_000 * S


class Line:
    """A line that delivers ``rate`` updates a second, and others that deliver ``peer_rate``; readings each 100 ms."""

    def __init__(self, rate=20, peer_rate=20, peers=1, rules=None):
        self.health = LineHealth(rules)
        self.rate, self.peer_rate = rate, peer_rate
        self.now = START
        self.delay = self.peer_delay = 5 * MS
        self.best = 5 * MS
        self.suspect = ""  # the reason for which each of its updates is suspect
        self.reading = Reading(last_recv=0, peers=peers, others=peers)
        self.health.connecting(self.now)
        self.health.ready(self.now)
        self.log = []

    def run(self, duration, step=100 * MS):
        end = self.now + duration
        while self.now < end:
            before, self.now = self.now, self.now + step
            self.read(before)
            if self.health.judge(self.reading, self.now):
                self.log.append((self.now - START, self.health.state))
        return self.health.state

    def read(self, before):
        reading = self.reading
        own = self.ticks(self.rate, before)
        if own:
            reading = replace(reading, updates=reading.updates + len(own), last_recv=own[-1], peer_updates=0)
            reading = replace(reading, last_event=own[-1] - self.delay)
            if self.suspect:
                reading = replace(reading, **{self.suspect: getattr(reading, self.suspect) + len(own)})
        others = [at for at in self.ticks(self.peer_rate, before) if not own or at > own[-1]] if reading.peers else []
        if others:
            first = reading.peer_first if reading.peer_updates else others[0]
            count = reading.peer_updates + len(others)
            reading = replace(reading, peer_updates=count, peer_first=first, peer_last=others[-1])
        if reading.peers:
            excess = self.peer_delay - self.best
            reading = replace(reading, least_excess=excess, most_excess=excess)
            reading = replace(reading, peer_delay=self.peer_delay, other_delay=self.peer_delay)
        self.reading = reading
        self.health.measure(reading)

    def ticks(self, rate, before):
        if not rate:
            return []
        step = int(S / rate)
        return list(range(before - before % step + step, self.now + 1, step))


def test_a_healthy_line_stays_live():
    line = Line()
    assert line.run(60 * S) == "live"
    assert line.log == []
    assert line.health.score(line.now) == 1.0
    assert not line.health.alone


def test_prints_without_quotes_are_no_lag():
    line = Line()
    line.run(5 * S)
    line.rate = line.peer_rate = 0
    for _ in range(30):  # its stamps are those of quotes: the last one gets older with each print
        line.now += 100 * MS
        line.reading = replace(line.reading, prints=line.reading.prints + 1, last_recv=line.now)
        line.health.measure(line.reading)
        assert not line.health.judge(line.reading, line.now)
    assert line.health.state == "live"


def test_mute_within_a_second_where_others_deliver_20_a_second():
    for offset in range(0, 100, 7):
        line = Line()
        line.run(2 * S + offset * MS)
        stopped = line.reading.last_recv
        line.rate = 0
        line.run(3 * S)
        assert line.health.state == "mute"
        assert line.health.since - stopped <= S
        assert "updates by other lines in" in line.health.reason


@pytest.mark.parametrize(("peer_rate", "after"), [(20, 700 * MS), (10, 700 * MS), (5, 1_200 * MS), (1, 6 * S)])
def test_mute_needs_5_updates_and_500_ms(peer_rate, after):
    line = Line(peer_rate=peer_rate)
    line.run(2 * S)
    line.rate = 0
    line.run(20 * S)
    assert line.health.state == "mute"
    silent = line.health.since - line.reading.last_recv
    assert 500 * MS <= silent <= after
    assert silent >= 5 * S // peer_rate - S // peer_rate


def test_a_burst_of_others_makes_nobody_mute():
    health = LineHealth()
    health.connecting(START)
    health.ready(START)
    health.judge(Reading(updates=9, last_recv=START, peers=1), START)
    burst = Reading(
        updates=9, last_recv=START, peers=1, others=1, peer_updates=400, peer_first=START, peer_last=START + 499 * MS
    )
    assert not health.judge(burst, START + 10 * S)
    assert health.judge(replace(burst, peer_updates=401, peer_last=START + 500 * MS), START + 10 * S)


def test_four_updates_make_nobody_mute():
    health = LineHealth()
    health.connecting(START)
    health.ready(START)
    health.judge(Reading(updates=9, last_recv=START, peers=1), START)
    few = Reading(updates=9, last_recv=START, peers=1, peer_updates=4, peer_first=START, peer_last=START + 60 * S)
    assert not health.judge(few, START + 60 * S)


def test_what_others_sent_while_it_was_not_there_does_not_count():
    health = LineHealth()
    health.connecting(START)
    health.ready(START + 10 * S)
    old = Reading(peers=1, peer_updates=200, peer_first=START, peer_last=START + 10 * S)
    assert not health.judge(old, START + 10_100 * MS)
    newer = replace(old, peer_updates=204, peer_last=START + 10_700 * MS)
    assert not health.judge(newer, START + 10_700 * MS)
    assert health.judge(replace(newer, peer_updates=205), START + 10_700 * MS)


def test_recovery_is_slower_than_one_good_update():
    line = Line()
    line.run(2 * S)
    line.rate = 0
    line.run(2 * S)
    line.rate = 20
    back = line.now
    line.run(400 * MS)
    assert line.health.state == "mute"
    line.run(2 * S)
    assert line.health.state == "live"
    assert 500 * MS <= line.health.since - back <= S


def test_faults_that_follow_each_other_hold_longer_up_to_a_bound():
    line, holds = Line(), []
    for _ in range(6):
        line.rate = 0
        line.run(2 * S)
        assert line.health.state == "mute"
        line.rate = 20
        line.run(10 * S)
        assert line.health.state == "live"
        holds.append(line.health.hold)
    assert holds == [500 * MS, S, 2 * S, 4 * S, 4 * S, 4 * S]
    line.run(120 * S)
    line.rate = 0
    line.run(2 * S)
    assert line.health.hold == 500 * MS


def test_a_line_alone_is_mute_by_its_own_rate_only():
    line = Line(rate=20, peers=0)
    line.run(10 * S)
    assert line.health.alone
    line.rate = 0
    line.run(3_900 * MS)
    assert line.health.state == "live"
    line.run(300 * MS)
    assert line.health.state == "mute"
    assert line.health.reason.startswith("alone, and silent for")
    line.rate = 20
    line.run(200 * MS)
    assert line.health.state == "live"


def test_a_line_alone_is_not_mute_while_the_whole_market_is_silent():
    line = Line(rate=1_000, peers=0)
    line.run(2 * S)
    last = line.reading.last_recv
    line.rate = 0
    line.reading = replace(line.reading, other_last=last)  # of a line of another class, which ended then, too
    assert line.run(3 * S) == "live"
    line.reading = replace(line.reading, other_last=line.now)
    assert line.run(200 * MS) == "mute"


def test_a_slow_line_alone_is_given_more_time():
    line = Line(rate=1, peers=0)
    line.run(30 * S)
    line.rate = 0
    assert line.run(75 * S) == "live"
    assert line.run(10 * S) == "mute"


def test_a_fast_line_alone_is_mute_within_a_second():
    line = Line(rate=200, peers=0)
    line.run(30 * S)
    line.rate = 0
    assert line.run(700 * MS) == "live"
    assert line.run(200 * MS) == "mute"


def test_a_line_alone_that_never_said_anything_is_not_judged():
    line = Line(rate=0, peers=0)
    assert line.run(600 * S) == "live"


@pytest.mark.parametrize("reason", ["crossed", "scale", "replayed"])
@pytest.mark.parametrize("rate", [3, 20, 200])
def test_wrong_data_is_quarantined_within_20_updates_or_a_second(reason, rate):
    line = Line(rate=rate)
    line.run(5 * S)
    line.suspect = reason
    started, updates = line.now, line.reading.updates
    line.run(3 * S)
    assert line.log[-1][1] == "quarantined"
    taken = START + line.log[-1][0] - started
    assert taken <= 1_100 * MS or rate * taken // S <= 20
    assert "updates" in line.health.reason
    assert updates < line.reading.updates


def test_a_few_suspects_among_many_are_no_fault():
    line = Line(rate=200)
    for _ in range(20):
        line.run(S)
        line.reading = replace(line.reading, crossed=line.reading.crossed + 2)
    assert line.log == []


def test_wrong_data_is_trusted_again_after_the_hold_and_not_before():
    line = Line()
    line.run(2 * S)
    line.suspect = "scale"
    line.run(S)
    line.suspect = ""
    stopped = line.now
    line.run(3 * S)
    assert line.health.state == "live"
    assert 500 * MS <= line.health.since - stopped <= 1_500 * MS


def test_a_line_alone_is_exempt():
    line = Line(peers=0)
    line.suspect = "crossed"
    assert line.run(20 * S) == "live"
    assert line.health.alone
    assert line.health.exempt


@pytest.mark.parametrize(("suspect", "state"), [("scale", "quarantined"), ("crossed", "live"), ("replayed", "live")])
def test_prints_of_another_line_reveal_a_wrong_scale_and_nothing_else(suspect, state):
    line = Line(peers=0)
    line.run(2 * S)
    line.reading = replace(line.reading, witnesses=1)
    line.suspect = suspect
    assert line.run(S) == state


def test_a_line_of_prints_alone_is_measured_by_its_prints():
    line = Line(rate=0, peers=0)
    line.reading = replace(line.reading, others=1, witnesses=1)
    for number in range(1, 30):
        line.now += 100 * MS
        wrong = number // 2  # of its prints
        line.reading = replace(line.reading, prints=number, scale=wrong, last_recv=line.now)
        line.health.judge(line.reading, line.now)
    assert line.health.state == "quarantined"


def test_a_line_of_another_class_reveals_wrong_data_but_no_silence():
    line = Line()
    line.run(2 * S)
    line.reading = replace(line.reading, peers=0)
    line.rate = 0
    assert line.run(3 * S) == "live"
    line.rate, line.suspect = 20, "scale"
    assert line.run(S) == "quarantined"


def test_what_another_line_revealed_stays_for_a_while_when_that_line_is_gone():
    line = Line()
    line.run(2 * S)
    line.suspect = "scale"
    line.run(S)
    line.reading = replace(line.reading, peers=0, others=0)
    line.suspect = ""
    assert line.run(9 * S) == "quarantined"
    assert line.run(2 * S) == "live"


def test_connecting_again_does_not_clear_wrong_data():
    line = Line()
    line.run(2 * S)
    line.suspect = "scale"
    line.run(S)
    line.health.lost(line.now, "dropped")
    line.health.connecting(line.now, "again in 3 ms")
    assert line.health.state == "quarantined"
    assert line.health.reason.endswith("; again in 3 ms")
    line.health.ready(line.now)
    assert line.health.state == "quarantined"
    line.suspect = ""
    assert line.run(5 * S) == "live"


@pytest.mark.parametrize(("late", "state"), [(400 * MS, "live"), (600 * MS, "lagging"), (3 * S, "lagging")])
def test_a_line_later_than_its_best_is_lagging(late, state):
    line = Line()
    line.run(5 * S)
    line.delay += late
    started = line.now
    line.run(2 * S)
    assert line.health.state == state
    if state == "lagging":
        assert line.health.since - started <= S
        assert "later than at its best" in line.health.reason
        line.delay -= late
        assert line.run(3 * S) == "live"


def test_a_line_that_was_always_late_is_measured_by_another():
    line = Line()
    line.delay = 5 * MS + 1_100 * MS
    assert line.run(2 * S) == "lagging"
    assert "later than another line" in line.health.reason


def test_stamps_ahead_of_their_usual_are_told_and_do_not_change_what_is_usual():
    line = Line()
    line.run(5 * S)
    line.delay -= 3 * S
    assert line.run(200 * MS) == "quarantined"
    assert line.health.reason == "stamps 3000 ms ahead of its usual"
    assert line.health.ahead
    assert line.run(5 * S) == "quarantined"
    line.delay += 3 * S
    assert line.run(2 * S) == "live"
    assert line.log[-1][1] == "live"


def test_a_line_that_catches_up_is_not_ahead():
    line = Line()
    line.delay += 2 * S
    assert line.run(3 * S) == "lagging"
    line.delay -= 2 * S
    assert line.run(2 * S) == "live"


def test_stamps_ahead_for_a_minute_are_its_usual():
    line = Line()
    line.run(5 * S)
    line.delay -= 3 * S
    assert line.run(58 * S) == "quarantined"
    assert line.run(5 * S) == "live"


def test_a_clock_that_was_set_holds_nothing_against_the_others():
    """What their delay is compared with is that of a clock that was not set."""
    line = Line()
    line.run(5 * S)
    line.delay -= 3 * S
    line.run(70 * S)
    assert line.health.state == "live"
    assert line.health.delay == 5 * MS - 3 * S
    assert line.health.true_delay == 5 * MS


def test_a_jump_that_nobody_else_saw_is_no_measure_when_it_is_over():
    line = Line()
    line.run(5 * S)
    alone = replace(line.reading, peers=0, others=0, peer_delay=None, other_delay=None, least_excess=None)
    line.reading = replace(alone, most_excess=None)
    line.delay -= 2 * S
    assert line.run(S) == "live"
    line.reading = replace(line.reading, peers=1, others=1)
    line.delay += 2 * S
    assert line.run(5 * S) == "live"


def test_a_clock_that_was_set_back_is_usual_after_a_minute():
    line = Line()
    line.run(5 * S)
    line.delay += 2 * S
    assert line.run(58 * S) == "lagging"
    assert line.run(6 * S) == "live"
    assert line.run(60 * S) == "live"
    assert line.health.true_delay == 5 * MS


def test_data_that_waits_somewhere_stays_late_however_long():
    line = Line(rate=50)
    line.run(5 * S)
    while line.delay < 2 * S:  # no stamp goes back
        line.delay += 15 * MS
        line.run(20 * MS, step=20 * MS)
    assert line.run(300 * S) == "lagging"


def test_when_all_stamps_are_ahead_our_clock_was_set_back():
    line = Line()
    line.run(5 * S)
    line.delay -= 3 * S
    line.peer_delay -= 3 * S
    assert line.run(5 * S) == "live"
    line.peer_delay = line.best = line.delay
    assert line.run(5 * S) == "live"


def test_clocks_hours_apart_are_no_lag():
    line = Line()
    line.delay = 4 * 3_600 * S
    assert line.run(10 * S) == "live"


def test_when_all_lines_are_late_it_is_not_this_one():
    line = Line()
    line.run(5 * S)
    line.delay += 2 * S
    line.peer_delay += 2 * S
    assert line.run(5 * S) == "live"


def test_one_late_message_is_no_lag():
    line = Line()
    line.run(5 * S)
    line.delay += 3 * S
    line.run(100 * MS)
    line.delay -= 3 * S
    line.run(3 * S)
    assert line.log == []


def test_faults_cost_score_and_are_forgotten():
    health = LineHealth()
    health.connecting(START)
    health.ready(START)
    assert health.score(START) == 1.0
    health.lost(START, "dropped")
    assert health.score(START) == 0.5
    health.connecting(START)
    health.ready(START)
    health.charge(START)
    assert health.score(START) == pytest.approx(1 / 3)
    assert health.score(START + 61 * S) > 0.6
    assert health.score(START + 10_000 * S) == 1.0


def test_what_we_close_ourselves_costs_nothing():
    health = LineHealth()
    health.ready(START)
    health.lost(START, "closed by us", fault=False)
    assert (health.state, health.score(START)) == ("down", 1.0)


@given(st.lists(st.sampled_from(["go", "mute", "scale", "late", "alone", "lost", "ready"]), max_size=25))
def test_states_and_trust_always_agree(steps):
    line = Line(rules=Rules())
    for step in steps:
        line.rate = 0 if step == "mute" else 20
        line.suspect = "scale" if step == "scale" else ""
        line.delay = 5 * MS + (2 * S if step == "late" else 0)
        line.reading = replace(line.reading, peers=int(step != "alone"), others=int(step != "alone"))
        if step == "lost":
            line.health.lost(line.now, "dropped")
            line.health.connecting(line.now)
        elif step == "ready":
            line.health.ready(line.now)
        line.run(700 * MS)
        assert line.health.trusted == (line.health.state == "live")
        assert 0 < line.health.score(line.now) <= 1
        assert line.health.since <= line.now
    line.rate, line.suspect, line.delay = 20, "", 5 * MS
    line.reading = replace(line.reading, peers=1, others=1)
    if line.health.state in {"down", "connecting"}:
        line.health.ready(line.now)
    assert line.run(20 * S) == "live"
