"""Every connection of a market as one pure state machine: bytes and times in, commands out.

Whoever pumps it (``engine.feeds.runner`` on sockets, a simulation in virtual time, a replay of raw frames) tells what
happened, then carries out ``take_commands``, and calls ``timer`` when ``next_timer`` is reached. A line is its number
in the order of ``feeds``.

* ``Open`` is answered by ``opened``, or by ``closed`` if it failed. After ``Close`` the connection is over at once:
  nothing that its old transport still says may be passed in. ``Ping`` is answered by ``pong``, or by nothing.
* A connection that ends is opened again after an exponential back-off with full jitter; stable service resets it. What
  a provider refuses decides otherwise: a wrong key ends the line, a connection limit asks for patience.
* A malformed frame: what was whole before the damage is applied, then the connection is dropped and built anew.
* A line from which nothing comes is pinged, and closed as half-open if it does not answer.

Given the same inputs, the commands are the same: jitter comes from a seed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.core.backoff import Backoff
from engine.feeds.connection import Close, Command, Connection, LinePolicy, Open, Phase, Ping, Send
from engine.feeds.protocol import NEVER, Gap, Ready, Refused, Subscribed, Unsubscribed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine._native.pump import Intake
    from engine.errors import EngineError
    from engine.feeds.aggregator import Aggregator
    from engine.feeds.latency import LineLatency
    from engine.feeds.protocol import FeedProtocol, Notice

__all__ = ["Close", "Command", "LinePolicy", "Lines", "Open", "Phase", "Ping", "Send"]

_MS: Final = 1_000_000


class Lines:
    """All lines of a market (see the module).

    Args:
        feeds: one adapter a line.
        aggregator: gets the lines and their data.
        seed: of the jitter.
        policy: bounds.
        elapsed: a monotonic clock in ns for the latency of the hops inside; without it they are not timed.
    """

    def __init__(
        self,
        feeds: Sequence[FeedProtocol],
        aggregator: Aggregator,
        *,
        seed: int = 0,
        policy: LinePolicy | None = None,
        elapsed: Callable[[], int] | None = None,
    ) -> None:
        self.aggregator = aggregator
        self.policy = policy or LinePolicy()
        self.elapsed = elapsed
        self.dropped_notices = 0
        self.stirred = False  #: commands, notices or timers may have changed; who looks sets it back
        self._commands: list[Command] = []
        self._notices: list[tuple[int, Notice]] = []
        self._connections: list[Connection] = []
        self._wanted: dict[str, None] = {}
        self._due_judge = NEVER
        self._late_at = -self.policy.late_for  # when we came late ourselves
        self._excused = False  # nothing is judged before sockets were read
        self._composer = aggregator.composer
        for number, feed in enumerate(feeds):
            connection = Connection(feed, Backoff(self.policy.backoff, seed, number))
            facts = feed.facts
            line = aggregator.add_line(feed.name, feed.provider, facts.role, facts.venue, live=facts.live)
            if line != number:
                raise ValueError(f"the aggregator has {line} lines already; expected none")
            connection.source = aggregator.source(line)
            connection.attach(self._composer, connection.source, feed.decoder, connection.latency, elapsed)
            self._connections.append(connection)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the lines, by number."""
        return tuple(connection.feed.name for connection in self._connections)

    @property
    def next_timer(self) -> int:
        """When ``timer`` is to be called next; ``NEVER`` for not at all."""
        due = self._due_judge
        for connection in self._connections:
            due = min(due, connection.deadline, connection.due_feed)
        return due

    def latency(self, line: int) -> LineLatency:
        """The line's histograms, to record into and to read."""
        return self._connections[line].latency

    def intake(self, line: int) -> Intake:
        """Where the line's frames enter: who pumps it may call a native one itself, as ``received`` does."""
        return self._connections[line]

    def phase(self, line: int) -> Phase:
        """Where the line's connection stands; "refused" is for good, until ``start``."""
        return self._connections[line].phase

    def error(self, line: int) -> EngineError | None:
        """What the provider refused the line with last; None since the last login that worked."""
        return self._connections[line].error

    def connection(self, line: int) -> tuple[int, int]:
        """How many connections of the line have been up, and how many frames (control, too) the last one brought."""
        found = self._connections[line]
        return found.transports, found.frames - found.first_frame

    # ---- inputs

    def start(self, now: int) -> None:
        """Opens every line."""
        self._due_judge = now + self.policy.judge_every
        for line, connection in enumerate(self._connections):
            if connection.phase in {"idle", "stopped", "refused"}:
                self._open(line, connection, now)

    def stop(self, now: int) -> None:
        """Closes every line, for good or until ``start``."""
        self._due_judge = NEVER
        for line, connection in enumerate(self._connections):
            if connection.phase in {"opening", "login", "ready"}:
                self._commands.append(Close(line, 1000, ""))
                self._hang_up(connection, "closed by us", now)
            self._leave(line, connection, now, "stopped", fault=False)
            connection.phase = "stopped"

    def opened(self, line: int, now: int) -> None:
        """The transport is up."""
        connection = self._connections[line]
        if connection.phase != "opening":
            return
        connection.phase, connection.open = "login", True
        connection.transports += 1
        connection.first_frame = connection.frames
        connection.deadline = now + self.policy.login_within
        connection.last_recv = connection.pinged = now
        connection.ping_at = 0
        connection.feed.opened(now)
        self._settle(line, connection, now)

    def closed(self, line: int, code: int | None, reason: str, now: int) -> None:
        """The transport is down, or did not come up. ``code``: of the close frame, or the HTTP status of a refusal."""
        connection = self._connections[line]
        if connection.phase not in {"opening", "login", "ready"}:
            return
        connection.open = False
        connection.feed.closed(code, reason, now)
        notices = connection.feed.take_notices()
        connection.feed.take_outgoing()
        refused = None
        for notice in notices:
            self._keep(line, notice)
            if isinstance(notice, Refused):
                refused = notice if refused is None or notice.retry == "never" else refused
        text = f"closed with {code}" if code is not None else "dropped"
        text = f"{text}: {reason}" if reason else text
        if refused is not None:
            self._refused(line, connection, refused, now)
        else:
            self._again(line, connection, now, text, connection.backoff.delay)

    def received(self, line: int, data: Any, ts_recv: int) -> int:
        """One whole frame or datagram; returns the number of events in it. The hot path."""
        connection = self._connections[line]
        if not connection.open:
            return 0
        if not connection.native:
            return self._receive(line, connection, data, ts_recv)
        events = connection.receive(data, ts_recv)
        if connection.rest:
            self.attend(line, data, ts_recv)
        return events

    def attend(self, line: int, data: Any, ts_recv: int) -> None:
        """What a native intake left of the frame it was given last: control messages, and what was wrong with it."""
        connection = self._connections[line]
        self._attend(line, connection, connection.decoder.take_other(data), ts_recv)

    def pong(self, line: int, now: int) -> None:
        """The answer to a ``Ping``."""
        connection = self._connections[line]
        if not connection.open:
            return
        connection.last_recv = now
        if connection.ping_at:
            connection.latency.clock.round_trip(now - connection.ping_at, now)
            connection.ping_at = 0

    def subscribe(self, symbols: Sequence[str], now: int) -> None:
        """Wants data of these symbols from every line; known ones are ignored.

        Raises:
            ValueError: a symbol that no instrument can have.
        """
        new = [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._wanted]
        for symbol in new:
            if symbol not in self.aggregator.instruments:
                self.aggregator.instruments.add(symbol)
        self._wanted.update(dict.fromkeys(new))
        for line, connection in enumerate(self._connections):
            if new:
                connection.feed.subscribe(new)
                self._settle(line, connection, now)

    def unsubscribe(self, symbols: Sequence[str], now: int) -> None:
        """Wants no more data of them; what is known of them is forgotten at once."""
        gone = [symbol for symbol in dict.fromkeys(symbols) if symbol in self._wanted]
        for symbol in gone:
            del self._wanted[symbol]
        for line, connection in enumerate(self._connections):
            if gone:
                self.aggregator.unsubscribe(line, gone)
                connection.feed.unsubscribe(gone)
                self._settle(line, connection, now)

    def timer(self, now: int) -> None:
        """Does what is due at ``now``."""
        self.stirred = True
        if NEVER > self._due_judge > now + self.policy.judge_every:
            self._set_back(self._due_judge - self.policy.judge_every - now, now)
        for line, connection in enumerate(self._connections):
            if connection.deadline <= now:
                self._expired(line, connection, now)
            if connection.due_feed <= now and connection.open:
                self._settle(line, connection, now)
        if self._due_judge <= now:
            if now - self._due_judge >= self.policy.judge_every and not self._excused:
                self._excused, self._late_at, self._due_judge = True, now, now + _MS
                return
            self._excused = False
            self._due_judge = now + self.policy.judge_every
            self.aggregator.judge(now)
            for line, connection in enumerate(self._connections):
                if connection.phase == "ready":
                    (self._listen if connection.datagrams else self._check)(line, connection, now)

    def _set_back(self, by: int, now: int) -> None:
        """Our clock was: what would be waited for until it is where it was is due as much earlier."""
        self._due_judge -= by
        for connection in self._connections:
            for name in ("deadline", "due_feed", "ping_deadline"):
                if now + by < (at := getattr(connection, name)) < NEVER:
                    setattr(connection, name, at - by)
            for name in ("ready_at", "last_recv", "pinged", "ping_at"):
                if (at := getattr(connection, name)) > now:
                    setattr(connection, name, at - by)
        self.aggregator.set_back(by)

    # ---- outputs

    def take_commands(self) -> list[Command]:
        """What to do now, in order."""
        commands, self._commands = self._commands, []
        return commands

    def take_notices(self) -> list[tuple[int, Notice]]:
        """What the providers said since the last call, by line."""
        notices, self._notices = self._notices, []
        return notices

    def health(self, now: int) -> dict[str, dict[str, Any]]:
        """By line: ``Aggregator.report``, and of its connection.

        ``phase``, ``age_ns`` (since the last byte; None before the first), ``frames``, ``malformed``, ``gaps``,
        ``reconnects``, ``error`` (text or None), ``decoder`` (its counts).
        """
        return {connection.feed.name: self._report(line, now) for line, connection in enumerate(self._connections)}

    def _report(self, line: int, now: int) -> dict[str, Any]:
        connection = self._connections[line]
        return self.aggregator.report(line, now) | {
            "phase": connection.phase,
            "age_ns": now - connection.last_recv if connection.last_recv else None,
            "frames": connection.frames,
            "malformed": connection.malformed,
            "gaps": connection.gaps,
            "reconnects": connection.reconnects,
            "error": None if connection.error is None else str(connection.error),
            "decoder": dict(connection.decoder.counts),
        }

    # ---- frames

    def _receive(self, line: int, connection: Connection, data: Any, ts_recv: int) -> int:
        """What a native intake does, with any decoder and composer.

        A gap in datagrams is told before their events are applied: it makes the composer forget, and what a restart
        tells is in the events themselves.
        """
        elapsed, latency = self.elapsed, connection.latency
        connection.frames += 1
        connection.last_recv = ts_recv
        connection.stamp = 0
        start = elapsed() if elapsed else 0
        events = connection.decoder.receive_bytes(data, ts_recv)
        if elapsed and len(events):
            latency.decoded.record(elapsed() - start)
        if connection.datagrams:
            self._attend(line, connection, connection.decoder.take_other(), ts_recv)
        start = elapsed() if elapsed else 0
        if connection.source >= 0 and len(events):
            self._composer.apply(connection.source, events)
        if len(events):
            if elapsed:
                latency.applied.record(elapsed() - start)
            stamp = int(events["ts_event"][-1])
            if stamp > 0:
                connection.stamp = stamp
                latency.received.record(ts_recv - stamp)
                latency.clock.delay(ts_recv - stamp, ts_recv)
        if not connection.datagrams:
            self._attend(line, connection, connection.decoder.take_other(), ts_recv)
        return len(events)

    def _attend(self, line: int, connection: Connection, other: list[bytes], now: int) -> None:
        """Control messages of the last frame, and what was wrong with it."""
        problem = connection.decoder.take_problem()
        if not other and problem is None and not connection.datagrams:
            return
        connection.feed.receive_other(other, now)
        self._settle(line, connection, now)
        if problem is None:
            return
        connection.malformed += 1
        if connection.datagrams:  # there is no connection to drop: what it held is lost
            self.aggregator.gap(line, now)
        elif connection.open:
            self.aggregator.charge(line, now)
            self._drop(line, connection, now, f"malformed frame: {problem}", 1007)

    def _settle(self, line: int, connection: Connection, now: int) -> None:
        """Timers, then what the adapter wants to send, then what it says."""
        self.stirred = True
        if connection.open:
            connection.due_feed = max(connection.feed.timer(now), now + _MS)  # never a timer that cannot be waited for
        outgoing = connection.feed.take_outgoing()
        if connection.open:
            self._commands += [Send(line, data) for data in outgoing]
        for notice in connection.feed.take_notices():
            self._notice(line, connection, notice, now)

    def _notice(self, line: int, connection: Connection, notice: Notice, now: int) -> None:
        self._keep(line, notice)
        if isinstance(notice, Subscribed):
            symbols = [symbol for symbol in notice.symbols if symbol in self._wanted]
            self.aggregator.subscribe(line, symbols)
            if not notice.whole:
                self.aggregator.missed(line, symbols, now)
        elif isinstance(notice, Unsubscribed):
            self.aggregator.unsubscribe(line, [symbol for symbol in notice.symbols if symbol not in self._wanted])
        elif isinstance(notice, Gap):
            connection.gaps += 1
            self.aggregator.gap(line, now, fault=now - self._late_at > self.policy.late_for)
        elif isinstance(notice, Ready) and connection.phase == "login":
            connection.phase, connection.deadline = "ready", NEVER
            connection.ready_at, connection.accepted, connection.error = now, True, None
            connection.login_failures = 0
            self.aggregator.ready(line, now)
        elif isinstance(notice, Refused) and notice.close and connection.open:
            self._commands.append(Close(line, 1000, ""))
            self._hang_up(connection, "refused", now)
            self._refused(line, connection, notice, now)

    def _keep(self, line: int, notice: Notice) -> None:
        if len(self._notices) >= self.policy.notices:
            del self._notices[0]
            self.dropped_notices += 1
        self._notices.append((line, notice))

    # ---- connections

    def _open(self, line: int, connection: Connection, now: int) -> None:
        self.stirred = True
        connection.phase, connection.open = "opening", False
        connection.deadline = now + self.policy.open_within
        connection.reconnects += connection.opens > 0
        connection.opens += 1
        self.aggregator.connecting(line, now)
        self._commands.append(Open(line, connection.feed.url, connection.feed.headers))

    def _leave(self, line: int, connection: Connection, now: int, reason: str, *, fault: bool = True) -> None:
        """The connection is over: nothing is due, and what the line knew is gone."""
        self.stirred = True
        if connection.phase == "ready":
            connection.backoff.served(now - connection.ready_at)
        was_up = connection.phase in {"login", "ready"}
        connection.open = False
        connection.deadline = connection.due_feed = NEVER
        connection.ping_at = 0
        self.aggregator.lost(line, now, reason, fault=fault, reset=was_up)

    def _again(self, line: int, connection: Connection, now: int, reason: str, delay: Callable[[], int] | int) -> None:
        """Opens the line again after a delay, which is drawn once this connection's service has been counted."""
        self._leave(line, connection, now, reason)
        wait = delay if isinstance(delay, int) else delay()
        connection.phase, connection.deadline = "waiting", now + wait
        self.aggregator.connecting(line, now, f"{reason}; again in {wait // _MS} ms")

    def _refused(self, line: int, connection: Connection, notice: Refused, now: int) -> None:
        """The provider refused the connection: when to try again is its word."""
        backoff = connection.backoff
        connection.error = notice.error
        reason = f"refused: {notice.error}"
        if notice.retry == "never":
            if connection.accepted and connection.login_failures < self.policy.backoff.login_retries:
                connection.login_failures += 1
                self._again(line, connection, now, reason, lambda: backoff.slow_delay(notice.after))
            else:
                self._leave(line, connection, now, reason)
                connection.phase = "refused"
        elif notice.retry == "slow":
            self._again(line, connection, now, reason, lambda: backoff.slow_delay(notice.after))
        elif notice.retry == "now":
            self._again(line, connection, now, reason, lambda: backoff.delay() if backoff.failures else backoff.first())
        else:
            self._again(line, connection, now, reason, lambda: backoff.delay(notice.after))

    def _drop(self, line: int, connection: Connection, now: int, reason: str, code: int) -> None:
        """We end the connection, and open it again."""
        self._commands.append(Close(line, code, ""))
        self._hang_up(connection, reason, now)
        self._again(line, connection, now, reason, connection.backoff.delay)

    @staticmethod
    def _hang_up(connection: Connection, reason: str, now: int) -> None:
        """Tells the adapter that we ended it; what it still says belongs to a connection that is gone."""
        connection.open = False
        connection.feed.closed(None, reason, now)
        connection.feed.take_notices()
        connection.feed.take_outgoing()

    def _expired(self, line: int, connection: Connection, now: int) -> None:
        if connection.phase == "waiting":
            self._open(line, connection, now)
        elif connection.phase == "opening":
            self._drop(line, connection, now, f"not connected within {self.policy.open_within // _MS} ms", 1000)
        elif connection.phase == "login":
            self._drop(line, connection, now, f"not logged in within {self.policy.login_within // _MS} ms", 1000)

    def _check(self, line: int, connection: Connection, now: int) -> None:
        """Heartbeats: pings, and connections that answer nothing."""
        policy, facts = self.policy, connection.feed.facts
        health = self.aggregator.line_health(line)
        mute = health.state == "mute"
        if connection.ping_at and connection.last_recv > connection.ping_at:
            connection.ping_at = 0  # whatever came shows that it lives
        idle = now - connection.last_recv
        if facts.silent_after and idle >= facts.silent_after:
            self._drop(line, connection, now, f"half-open: not a byte for {idle // _MS} ms", 1000)
        elif connection.ping_at and now >= connection.ping_deadline:
            waited = (now - connection.ping_at) // _MS
            self._drop(line, connection, now, f"half-open: no answer to a ping for {waited} ms", 1000)
        elif mute and now - health.since >= policy.mute_reconnect:
            self._drop(line, connection, now, f"mute for {(now - health.since) // _MS} ms", 1000)
        elif mute and (not connection.ping_at or connection.ping_deadline > now + policy.mute_pong_within):
            if idle >= policy.mute_pong_within // 2:
                self._ping(line, connection, now, policy.mute_pong_within)
        elif facts.ping_every and not connection.ping_at and now - connection.pinged >= facts.ping_every:
            self._ping(line, connection, now, policy.pong_within)

    def _listen(self, line: int, connection: Connection, now: int) -> None:
        """Datagrams: nothing can be asked, and a socket that is bound stays so."""
        silent_after, idle = connection.feed.facts.silent_after, now - connection.last_recv
        if silent_after and idle >= silent_after:
            self.aggregator.silent(line, now, f"not a datagram for {silent_after // _MS} ms")

    def _ping(self, line: int, connection: Connection, now: int, within: int) -> None:
        connection.pinged = connection.ping_at = now
        connection.ping_deadline = now + within
        self._commands.append(Ping(line))
