"""Lines against providers that do anything, in any order: a state machine in virtual time."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from engine.core.instruments import Instruments
from engine.feeds.aggregator import Aggregator
from engine.feeds.lines import Lines, Open
from engine.feeds.protocol import NEVER, LineFacts
from tests.feeds.scripted import MS, Pump, S, ScriptedComposer, ScriptedFeed, ScriptedProvider

LINES = 3
SYMBOLS = ["A", "B", "C"]
NUMBERS = st.integers(0, LINES - 1)
INPUTS = ("start", "stop", "opened", "closed", "received", "pong", "subscribe", "unsubscribe", "timer")


def fresh(seed):
    """Two WebSocket lines and one of datagrams."""
    facts = LineFacts("nbbo", ping_every=5 * S, silent_after=20 * S)
    feeds = [ScriptedFeed("a", facts), ScriptedFeed("b", facts)]
    feeds.append(ScriptedFeed("c", LineFacts("depth", 8), "udp://127.0.0.1:1"))
    return Lines(feeds, Aggregator(Instruments(), ScriptedComposer()), seed=seed)


class Machine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed):
        self.seed = seed
        self.lines = fresh(seed)
        self.inputs = []
        for name in INPUTS:
            setattr(self.lines, name, self.recorded(name, getattr(self.lines, name)))
        self.pump = Pump(self.lines, [ScriptedProvider(every=100 * MS) for _ in range(LINES)])
        self.running = True
        self.wanted = {"A"}
        self.lines.subscribe(["A"], self.pump.now)
        self.lines.start(self.pump.now)
        self.pump.obey()

    def recorded(self, name, method):
        def record(*arguments):
            kept = tuple(bytes(a) if isinstance(a, memoryview) else a for a in arguments)
            self.inputs.append((name, kept))
            return method(*arguments)

        return record

    @rule(duration=st.sampled_from([1, MS, 50 * MS, 700 * MS, 3 * S, 40 * S]))
    def wait(self, duration):
        self.pump.run(duration)

    @rule(line=NUMBERS, code=st.sampled_from([None, 1000, 1006, 1008, 1012]))
    def drop(self, line, code):
        self.pump.close(line, code, "any")

    @rule(line=NUMBERS, frame=st.sampled_from([b"bad", b"u;bad", b"u;u", b"gap", b"u;gap;bad", b"ok", b"\xff", b""]))
    def say(self, line, frame):
        self.pump.frame(line, frame)

    @rule(line=NUMBERS, retry=st.sampled_from(["never", "slow", "usual", "now"]), again=st.booleans())
    def refuse(self, line, retry, again):
        if again:
            self.pump.providers[line].login = f"refuse {retry} {S}"
        self.pump.frame(line, f"refuse {retry} {S}".encode())

    @rule(line=NUMBERS, field=st.sampled_from(["accepts", "answers", "pongs"]), value=st.booleans())
    def behave(self, line, field, value):
        setattr(self.pump.providers[line], field, value)

    @rule(line=NUMBERS, every=st.sampled_from([0, 20 * MS, S]))
    def deliver(self, line, every):
        self.pump.providers[line].every = every

    @rule(symbols=st.lists(st.sampled_from(SYMBOLS)))
    def subscribe(self, symbols):
        self.wanted.update(symbols)
        self.lines.subscribe(symbols, self.pump.now)
        self.pump.obey()

    @rule(symbols=st.lists(st.sampled_from(SYMBOLS)))
    def unsubscribe(self, symbols):
        self.wanted.difference_update(symbols)
        self.lines.unsubscribe(symbols, self.pump.now)
        self.pump.obey()

    @rule()
    def stop_or_start(self):
        (self.lines.stop if self.running else self.lines.start)(self.pump.now)
        self.running = not self.running
        self.pump.obey()

    @rule(line=NUMBERS, code=st.sampled_from([None, 1000]))
    def late_words_of_an_old_connection(self, line, code):
        """A pump must not pass them in, and where one does, nothing happens."""
        if not self.pump.serial[line]:
            self.lines.closed(line, code, "late", self.pump.now)
            self.lines.opened(line, self.pump.now)
            self.lines.pong(line, self.pump.now)
            assert self.lines.received(line, b"u;ok;bad", self.pump.now) == 0
            assert self.lines.take_commands() == []

    @invariant()
    def only_live_lines_are_trusted(self):
        if hasattr(self, "lines"):
            for line, report in enumerate(self.lines.health(self.pump.now).values()):
                assert self.lines.aggregator.composer.trusted[line] == (report["state"] == "live")
                assert (report["phase"] == "ready") >= (report["state"] == "live")
                assert 0 < report["score"] <= 1

    @invariant()
    def timers_lie_ahead_or_nothing_runs(self):
        if hasattr(self, "lines"):
            due = self.lines.next_timer
            assert (due < NEVER) == self.running
            assert due >= self.pump.now

    def teardown(self):
        if not hasattr(self, "lines"):
            return
        self.pump.run(2 * S)
        self.nobody_is_called_too_often()
        self.providers_that_behave_are_live_again()
        self.the_same_inputs_give_the_same_commands()

    def nobody_is_called_too_often(self):
        for line in range(LINES):
            opens = [now for now, _ in self.pump.of(Open, line)]
            started = [now for name, (now, *_) in self.inputs if name == "start"]
            for first in opens:
                within = [now for now in opens if first <= now < first + S]
                assert len(within) <= 16 + sum(first <= now < first + S for now in started)

    def providers_that_behave_are_live_again(self):
        for provider in self.pump.providers:
            provider.accepts = provider.answers = provider.pongs = True
            provider.login, provider.every = "ok", 100 * MS
        if not self.running:
            self.lines.start(self.pump.now)
        self.pump.run(120 * S)
        composer, instruments = self.lines.aggregator.composer, self.lines.aggregator.instruments
        for line, report in enumerate(self.lines.health(self.pump.now).values()):
            if report["phase"] != "refused":
                assert report["state"] == "live", report
                assert composer.symbols[line] == {instruments[symbol].id for symbol in self.wanted}
            else:
                assert report["state"] in {"down", "lagging", "quarantined"}
                assert report["error"] == "wrong key"

    def the_same_inputs_give_the_same_commands(self):
        again = fresh(self.seed)
        commands = []
        for name, arguments in self.inputs:
            getattr(again, name)(*arguments)
            commands += again.take_commands()
        assert commands == [command for _, command in self.pump.commands]
        assert again.aggregator.composer.told == self.lines.aggregator.composer.told


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
