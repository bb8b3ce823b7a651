"""Whether a line can be trusted: verdicts from counters and times, without clock and without connections.

The rules, with the numbers of ``Rules``:

* *mute*: other lines of its class delivered at least 5 updates for its symbols over at least 500 ms, and it none.
* *lagging*: its data is 500 ms and more later than at its own best, or 1 s later than that of another line of its
  class, in three readings in a row, while another line is not.
* *quarantined*: at least 3 of its last updates, and a fifth of them, were crossed, of a wrong scale, or old ones
  replayed, while another line with quotes shows better (of the scale prints tell, too). Within 1 s: a reading is taken
  every 100 ms. Likewise where its stamps are 500 ms and more ahead of its usual and of all others.
* *clocks* may be set: after a minute stamps that jumped ahead, or that went back and stayed as late since, are usual.
* *recovery* is slower than the fall: 5 good updates and a hold without fault, at first 500 ms, doubled by each fault
  that follows within a minute, to 4 s at most.
* *alone*: without another line of its class, it is mute when silent for 800 ms and 80 times its usual interval, by
  its own recent rate, while lines of other classes, if there are any, go on and not all it carries is halted. Without
  any other line with quotes nothing reveals wrong data: it is exempt. The report says both. What another line revealed
  before it was gone stays for 10 s without sign of a fault.

``score`` is 1 for a line without faults; each costs, and is forgotten by half every half minute. All arithmetic is in
integers, so a replay comes to the same verdicts anywhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["LineHealth", "Reading", "Rules", "State"]

State = Literal["connecting", "live", "mute", "lagging", "quarantined", "down"]

_MS: Final = 1_000_000
_S: Final = 1_000_000_000
_HALF_LIFE: Final = 30 * _S
_POINTS: Final = 1_024  #: what a fault of weight 1 costs
_POINTS_MAX: Final = 15 * _POINTS  #: however many faults: what is forgotten by half comes back in minutes
_WEIGHTS: Final = {"mute": 1, "lagging": 1, "quarantined": 2, "down": 1}


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of the rules; times in ns."""

    mute_updates: int = 5
    mute_span: int = 500 * _MS
    alone_silence: int = 800 * _MS
    alone_intervals: int = 80
    lag: int = 500 * _MS
    lag_of_peer: int = _S
    lag_readings: int = 3
    suspects: int = 3
    suspects_in: int = 5  #: one in so many updates
    window: int = _S
    recovery_updates: int = 5
    recovery_hold: int = 500 * _MS
    recovery_hold_max: int = 4 * _S
    alone_hold: int = 10 * _S
    repeated_within: int = 60 * _S
    usual_after: int = 60 * _S


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of a line at one moment; counts since it was made, times in ns.

    Attributes:
        updates: messages of quotes and levels that were applied.
        prints: trades.
        last_recv: our time of the last of either, 0 before the first.
        last_event: the newest stamp among the updates.
        crossed, scale, replayed: updates that were suspect, by reason.
        others: other trusted lines with quotes that share instruments with it; 0 makes it exempt.
        witnesses: those, and lines of prints that gave some within the last second: they reveal a wrong scale.
        peers: those of its own class; 0 makes it *alone*.
        peer_updates, peer_first, peer_last: their updates since its own last one: how many, and our time of the first
            and the last.
        peer_delay: the least ``true_delay`` among the lines of its class now; None where unknown.
        other_delay: the same among those of ``others`` whose stamps are not ahead of their usual themselves.
        other_last: our time of the last update or trade of any other trusted line of its instruments, 0: there is none.
        halted: trading in all its instruments is halted: it is silent by right.
        least_excess, most_excess: how much later than at its best the least and the most late other line is.
    """

    updates: int = 0
    prints: int = 0
    last_recv: int = 0
    last_event: int = 0
    crossed: int = 0
    scale: int = 0
    replayed: int = 0
    others: int = 0
    witnesses: int = 0
    peers: int = 0
    peer_updates: int = 0
    peer_first: int = 0
    peer_last: int = 0
    other_last: int = 0
    halted: bool = False
    peer_delay: int | None = None
    other_delay: int | None = None
    least_excess: int | None = None
    most_excess: int | None = None

    @property
    def delivered(self) -> int:
        """Quotes, levels and trades."""
        return self.updates + self.prints


class LineHealth:
    """One line's state, and why; ``trusted`` is what the composer is told.

    The pump tells ``connecting``, ``ready`` and ``lost``; ``judge`` does the rest, about every 100 ms.
    """

    __slots__ = (
        "_ahead_at",
        "_bad_at",
        "_bad_updates",
        "_faults_at",
        "_former",
        "_history",
        "_late",
        "_least",
        "_offset",
        "_peer_base",
        "_points",
        "_points_at",
        "_rate",
        "_ready_at",
        "_seen",
        "_steady",
        "_stepped",
        "alone",
        "delay",
        "exempt",
        "hold",
        "reason",
        "rules",
        "since",
        "state",
    )  # fmt: skip

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.state: State = "down"
        self.reason = "not started"
        self.since = 0
        self.alone = True  #: no other line of its class: silence is judged by its own rate
        self.exempt = True  #: no other line with quotes: nothing reveals wrong data
        self._ahead_at = 0  # since when its stamps are ahead, 0: they are not
        self.hold = self.rules.recovery_hold
        self.delay: int | None = None  #: receipt less stamp of its last update
        self._least: int | None = None  # the least of them: its clock's offset and its best delay
        self._bad_at = 0  # when a fault was seen last
        self._bad_updates = (0, 0)  # its updates then, without and with prints
        self._faults_at = -self.rules.repeated_within
        self._former: int | None = None  # ``_least`` before a jump that nobody else saw
        self._history: deque[tuple[int, Reading]] = deque()  # readings of the last window
        self._late = 0  # readings in a row that were late
        self._offset = 0  # what its clock was set since, as far as that is known
        self._stepped = False  # its stamps went back
        self._steady: tuple[int, int] | None = None  # since when it is as late as that
        self._peer_base: tuple[int, int] | None = None  # own updates and those of the others when it became ready
        self._points = 0
        self._points_at = 0
        self._ready_at = 0
        self._rate = 0  # usual interval between updates in ns, 0: not known
        self._seen = Reading()

    # ---- what the pump tells

    def connecting(self, now: int, reason: str = "connecting") -> None:
        """A connection is being opened, or waits to be."""
        if self.state in {"live", "mute", "connecting", "down"}:
            self._enter("connecting", reason, now)
        else:  # what was wrong with its data is not forgotten by connecting again
            self.reason = f"{self.reason.split('; ')[0]}; {reason}"

    def ready(self, now: int) -> None:
        """It is logged in: trusted, unless its data was at fault before."""
        self._history.clear()
        self._late, self._rate = 0, 0
        self._ready_at, self._peer_base = now, None
        self._seen = Reading(updates=self._seen.updates, prints=self._seen.prints, last_recv=now)
        if self.state in {"connecting", "down"}:
            self._enter("live", "", now)

    def lost(self, now: int, reason: str, *, fault: bool = True) -> None:
        """The connection is gone. ``fault=False``: we closed it ourselves."""
        if fault:
            self._charge("down", now)
        if self.state in {"lagging", "quarantined"}:
            self._bad_at = now
            self.reason = f"{self.reason.split('; ')[0]}; {reason}"
        else:
            self._enter("down", reason, now)

    def silent(self, now: int, reason: str) -> None:
        """Not even heartbeats come on a line that has no connection to lose."""
        if self.state == "live":
            self._bad_at, self._bad_updates = now, (self._seen.updates, self._seen.delivered)
            self._charge("mute", now)
            self._enter("mute", reason, now)

    def charge(self, now: int) -> None:
        """A fault of the line that is no state: a malformed frame, a gap."""
        self._charge("mute", now)

    def set_back(self, by: int) -> None:
        """Our clock was set back by so much: holds end and faults are forgotten when they would have been."""
        self.since -= by
        self._bad_at -= by
        self._faults_at -= by
        self._points_at -= by
        self._ready_at -= by
        self._ahead_at = self._ahead_at and self._ahead_at - by
        self._steady = None
        self.delay = None if self.delay is None else self.delay - by
        self._least = None if self._least is None else self._least - by
        self._former = None if self._former is None else self._former - by
        self._history = deque((at - by, reading) for at, reading in self._history)

    @property
    def trusted(self) -> bool:
        """Whether its data may lead."""
        return self.state == "live"

    def score(self, now: int) -> float:
        """1.0 without recent faults, 0.5 after one, towards 0 with many."""
        self._forget(now)
        return _POINTS / (_POINTS + self._points)

    # ---- verdicts

    @property
    def excess(self) -> int | None:
        """How much later its last update came than its best one."""
        return None if self.delay is None or self._least is None else self.delay - self._least

    @property
    def true_delay(self) -> int | None:
        """``delay`` without what its clock was set by since it was first heard."""
        return None if self.delay is None else self.delay - self._offset

    @property
    def ahead(self) -> bool:
        """Whether its stamps are so far ahead of their usual that they tell nothing of the others'."""
        return self.excess is not None and self.excess <= -self.rules.lag // 2

    def measure(self, reading: Reading) -> None:
        """Takes the delay of the last update: for all lines before any is judged, so that each hears of the others'."""
        if reading.updates != self._seen.updates and reading.last_event:  # prints alone bring no newer ``last_event``
            self.delay = reading.last_recv - reading.last_event
            self._least = self.delay if self._least is None else self._least
            if self._former is not None and abs(self.delay - self._former) <= self.rules.lag // 2:
                self._least, self._former = self._former, None  # the jump is over
            self._stepped |= reading.last_event <= self._seen.last_event - self.rules.lag

    def judge(self, reading: Reading, now: int) -> bool:
        """Comes to a verdict; whether ``state`` changed."""
        self._forget(now)
        fresh = reading.updates != self._seen.updates
        self._learn_rate(reading, now)
        self._history.append((now, reading))
        while len(self._history) > 1 and self._history[1][0] <= now - self.rules.window:
            self._history.popleft()
        before, self._seen = self.state, reading
        self.alone, self.exempt = reading.peers == 0, reading.others == 0
        if self.state in {"connecting", "down"}:
            return False
        fault = self._mute(reading, now) or self._wrong(reading) or self._ahead(reading, now)
        fault = fault or self._lagging(reading, fresh, now)
        if fault is not None:
            self._bad_at, self._bad_updates = now, (reading.updates, reading.delivered)
            self._history.clear()
            self._history.append((now, reading))
            if self.state != fault[0]:
                self._charge(fault[0], now)
                self._enter(fault[0], fault[1], now)
        elif self.state != "live" and self._recovered(reading, now):
            self._enter("live", "", now)
        return self.state != before

    def _mute(self, reading: Reading, now: int) -> tuple[State, str] | None:
        rules = self.rules
        if self._peer_base is None:  # what the others delivered before it was ready does not count against it
            self._peer_base = reading.delivered, reading.peer_updates
        if reading.peers:
            base = self._peer_base[1] if reading.delivered == self._peer_base[0] else 0
            span = reading.peer_last - max(reading.peer_first, self._ready_at)
            if reading.peer_updates - base >= rules.mute_updates and span >= rules.mute_span:
                text = f"{reading.peer_updates - base} updates by other lines in {span // _MS} ms, none by this one"
                return "mute", text
        elif self._rate and reading.delivered and not reading.halted:
            silent = now - reading.last_recv
            if reading.other_last:  # where nobody says anything it is the market that is silent
                silent = reading.other_last - reading.last_recv
            if silent >= max(rules.alone_silence, rules.alone_intervals * self._rate):
                usual = max(self._rate // _MS, 1)
                return "mute", f"alone, and silent for {silent // _MS} ms; usually an update every {usual} ms"
        return None

    def _wrong(self, reading: Reading) -> tuple[State, str] | None:
        """Crossed, scaled or replayed, in the window; the composer counts only what another line reveals."""
        first = self._history[0][1]
        updates = reading.updates - first.updates or reading.delivered - first.delivered
        for name, text in (("scale", "of a wrong scale"), ("crossed", "crossed"), ("replayed", "old ones again")):
            if self.exempt and not (name == "scale" and reading.witnesses):
                continue
            count = getattr(reading, name) - getattr(first, name)
            if count >= self.rules.suspects and count * self.rules.suspects_in >= updates:
                return "quarantined", f"{count} of {max(updates, count)} updates {text}"
        return None

    def _ahead(self, reading: Reading, now: int) -> tuple[State, str] | None:
        """Stamps ahead of their usual and of all others: that clock jumped; where all jump, it is ours."""
        excess, most, other = self.excess, reading.most_excess, reading.other_delay
        if excess is None or self.delay is None or excess >= 0:
            self._ahead_at = 0
            return None
        lag = self.rules.lag
        ahead = excess <= -lag and other is not None and self.delay <= other - lag  # else it has caught up
        jumped = ahead and most is not None and most > -lag // 2
        usual = self._ahead_at and now - self._ahead_at >= self.rules.usual_after
        if self._ahead_at and other is None and excess <= -lag and not usual:
            return None  # who could tell has left; what is known of it stays
        if not jumped or usual:
            self._offset += excess if usual else 0
            if other is None and excess <= -lag and self._former is None:
                self._former = self._least
            self._least, self._ahead_at = self.delay, 0
            return None
        self._ahead_at = self._ahead_at or now
        return "quarantined", f"stamps {-excess // _MS} ms ahead of its usual"

    def _lagging(self, reading: Reading, fresh: bool, now: int) -> tuple[State, str] | None:
        rules, excess, least = self.rules, self.excess, reading.least_excess
        if not fresh or self.delay is None or excess is None or self.exempt:
            return None
        text = ""
        behind = self.delay - self._offset - reading.peer_delay if reading.peer_delay is not None else 0
        if excess >= rules.lag and least is not None and least < rules.lag // 2:
            text = f"{excess // _MS} ms later than at its best, another line {max(least, 0) // _MS} ms"
        elif rules.lag_of_peer <= behind < 3_600 * _S:
            text = f"{behind // _MS} ms later than another line"
        if not text:
            self._steady = None
        elif self._was_set(self.delay, now):
            self._offset += excess
            self._least, text = self.delay, ""
        self._late = self._late + 1 if text else 0
        late_before = self.state == "lagging" and text
        return ("lagging", text) if self._late >= rules.lag_readings or late_before else None

    def _was_set(self, delay: int, now: int) -> bool:
        """Whether its stamps went back and are as late ever since: its clock was set. What waits somewhere varies."""
        if self._steady is None or not self._stepped or abs(delay - self._steady[1]) > self.rules.lag // 2:
            self._steady = now, delay
        if now - self._steady[0] < self.rules.usual_after:
            return False
        self._stepped = False
        return True

    def _recovered(self, reading: Reading, now: int) -> bool:
        if self.state == "mute" and self.alone:
            return reading.delivered > self._bad_updates[1]
        seen = reading.witnesses or not self.exempt or self.state == "mute"
        hold = self.hold if seen else max(self.hold, self.rules.alone_hold)
        quotes = self.state == "quarantined" and reading.updates > 0  # prints say nothing of them
        good = reading.updates - self._bad_updates[0] if quotes else reading.delivered - self._bad_updates[1]
        return good >= self.rules.recovery_updates and now - self._bad_at >= hold

    def _learn_rate(self, reading: Reading, now: int) -> None:
        """The usual interval: a moving average over readings that had updates; a 64th is new each time."""
        count = reading.delivered - self._seen.delivered
        if count > 0 and self._seen.last_recv and reading.last_recv > self._seen.last_recv:
            interval = (reading.last_recv - self._seen.last_recv) // count
            self._rate = interval if not self._rate else self._rate + (interval - self._rate) // 64

    # ---- state and score

    def _enter(self, state: State, reason: str, now: int) -> None:
        if state != self.state:
            self.since = now
        self.state, self.reason = state, reason

    def _charge(self, fault: str, now: int) -> None:
        self._forget(now)
        self._points = min(self._points + _POINTS * _WEIGHTS[fault], _POINTS_MAX)
        if now - self._faults_at < self.rules.repeated_within:
            self.hold = min(2 * self.hold, self.rules.recovery_hold_max)
        else:
            self.hold = self.rules.recovery_hold
        self._faults_at = now

    def _forget(self, now: int) -> None:
        halves = (now - self._points_at) // _HALF_LIFE
        if halves > 0:
            self._points = self._points >> halves if halves < 64 else 0
            self._points_at += halves * _HALF_LIFE
