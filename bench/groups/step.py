"""From a changed book to the bytes of child orders, and a day's TWAP in virtual time.

The desk has a paper broker on the other end of the line, so that reports, reads and snapshots come as they would; only
the step that hears of the book, the gate inside it and the encoding of what it decided are timed, before the journal.
A book changes every 50 ms and moves every second: then two resting orders follow it and one order takes at once; a
TWAP works all the time.
"""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from bench.groups import Setting
from bench.measure import NS, RATE, Contender, Contest, Row, clock_name, local, percentiles

if TYPE_CHECKING:
    from engine.core.trading import Command, Input, TopChange

OURS: Final = "engine"
UNIT: Final = 10**9
TICK: Final = UNIT // 100
START: Final = 1_800_000_000 * UNIT
GAP: Final = UNIT // 20  #: between two changes of the book
ACT: Final = 20  #: changes of the book from one round of quotes to the next
DAY: Final = 390  #: minutes of a trading day


class Desk:
    """A trader, the adapter of its broker, and the broker."""

    def __init__(self) -> None:
        from engine.brokers.local import LocalProtocol
        from engine.brokers.paper import PaperBroker
        from engine.core.trading import Listing, Restart
        from engine.trader import Trader, TraderSetup

        self.now = START
        self.paper = PaperBroker("paper", {"AAPL": 0}, now=START, latency=UNIT // 1_000, cash=10**9 * UNIT)
        self.line = self.paper.broker.line
        self.protocol = LocalProtocol(self.paper.broker.facts)
        self.trader = Trader(TraderSetup("0123456789abcdef", (self.paper.broker.facts,)))
        self.draw = random.Random(1)
        self.clock = getattr(time, clock_name())
        self.spans: list[int] = []
        self.bid = 10_000  # ticks
        self.quotes = {"buy": 0, "sell": 0}  # parents
        self.step([Restart(), Listing(0, "AAPL", TICK, UNIT)])
        self.line.connect(self.now)
        self.protocol.opened(self.now)
        self.turn(self.top())

    def top(self, *, moves: bool = False) -> TopChange:
        """Quantities change, or the book moves by a tick, too."""
        from engine.core.trading import TopChange

        draw = self.draw
        self.bid += draw.choice((-1, 1)) if moves else 0
        sides = []
        for sign, touch in ((-1, self.bid), (1, self.bid + 2)):
            sides.append(tuple(((touch + sign * step) * TICK, draw.randint(3, 30) * 100 * UNIT) for step in range(10)))
        bids, asks = sides
        self.paper.show(self.now, [(0, bids, asks, True)])
        best = *bids[0], *asks[0]
        return TopChange(0, *best, bids[0][0], asks[0][0], "live", self.now, self.now, 0, 0, bids, asks)

    def turn(self, top: TopChange, *more: Input) -> None:
        """What the broker said comes first, then the book and what its owner makes of it."""
        self.line.advance(self.now)
        for data in self.line.take_outgoing():
            self.protocol.receive(data, self.now)
        self.protocol.timer(self.now)
        if said := self.protocol.take_inputs():
            self.step(said)
        self.step([top, *more], timed=True)

    def step(self, inputs: Sequence[Input], *, timed: bool = False) -> None:
        """One step, its commands encoded; the span counts if a new or changed order came of it."""
        from engine.core.trading import Place, Replace

        trader, protocol, clock, now = self.trader, self.protocol, self.clock, self.now
        begun = clock()
        turn = trader.step(inputs, now)
        for command in turn.commands:
            protocol.encode(command, now)
        outgoing = protocol.take_outgoing()
        span = clock() - begun
        for one in outgoing:
            self.line.receive(one.data, now)
        if timed and _any(turn.commands, (Place, Replace)):
            self.spans.append(span)

    def requests(self) -> list[Input]:
        """Both quotes follow the book, one tick behind it, and a hundred shares are taken."""
        from engine.core.trading import Amend, Submit
        from engine.execution.algos import Immediate, Limit
        from engine.execution.states import FINAL

        made: list[Input] = []
        number = self.trader.next_parent
        for side, ticks in (("buy", self.bid - 1), ("sell", self.bid + 3)):
            parent = self.trader.parents.get(self.quotes[side])
            if parent is not None and parent.state not in FINAL:
                made.append(Amend(parent.number, ticks * TICK))
                continue
            limit = Limit(f"{ticks / 100:.2f}", post_only=True)
            made.append(Submit(number, 0, "AAPL", side, 500 * UNIT, limit.to_dict()))  # type: ignore[arg-type]
            self.quotes[side] = number
            number += 1
        taking = "buy" if self.draw.random() < 0.5 else "sell"
        made.append(Submit(number, 0, "AAPL", taking, 100 * UNIT, Immediate().to_dict()))  # type: ignore[arg-type]
        return made

    def run(self, rounds: int) -> list[int]:
        """The spans of ``rounds`` seconds."""
        from engine.core.trading import Submit
        from engine.execution.algos import TWAP

        twap = TWAP(duration=f"{rounds}s", slices=max(rounds // 10, 1), jitter="1s").to_dict()
        twap_order = Submit(self.trader.next_parent, 0, "AAPL", "buy", rounds * 100 * UNIT, twap)
        self.now += 10 * GAP
        self.turn(self.top(), twap_order)
        for change in range(rounds * ACT):
            self.now += GAP
            if change % ACT:
                self.turn(self.top())
                continue
            top = self.top(moves=True)
            for one in self.requests():  # each alone: one change of the book, one decision
                self.turn(top, one)
        return self.spans


def _any(commands: Sequence[Command], kinds: tuple[type, ...]) -> bool:
    return any(isinstance(command, kinds) for command in commands)


def child(percentile: str) -> Callable[[Setting], Contest]:
    def build(setting: Setting) -> Contest:
        rounds = setting.count(600, 10)
        spans: list[int] = []

        def one_round() -> int:
            gc.collect()
            desk = Desk()
            found = desk.run(rounds)
            if len(found) < 2 * rounds:
                raise RuntimeError(f"{len(found)} orders came of {rounds} s; expected {2 * rounds} or more")
            spans.extend(found)
            return int(percentiles(found)[percentile])

        note = f"{rounds} s of quotes followed, orders that take, and a TWAP; spans of steps that led to an order"
        return Contest(Contender(OURS, 1, one_round, lambda: spans), (), note)

    return build


def day(setting: Setting) -> Contest:
    """``engine order`` as users call it; an operation is a microsecond of the market's time."""
    from click.testing import CliRunner

    from engine.cli.order import command

    minutes = setting.count(DAY, 1)
    arguments = ["AAPL", "buy", "10000", "--algo", "twap", "--duration", f"{minutes}m", "--slices", "39"]

    def run(runner: Any) -> None:
        made = runner.invoke(command, [*arguments, "--speed", "max", "--seed", "1", "--json"])
        if made.exit_code or json.loads(made.stdout)["order"]["cumulative"] != "10000":
            raise RuntimeError(f"the order was not filled: {made.output[-300:]}") from made.exception

    note = "10,000 shares in 39 slices against the paper broker on a made-up market of 200 acts a second"
    return Contest(local(OURS, minutes * 60_000_000, CliRunner, run), (), note)


ROWS = [
    Row("child", "changed book to approved order in bytes, p50", NS, child("p50"), 5_000.0, "a plan, a gate, a line"),
    Row("child_p99", "the same, p99", NS, child("p99")),
    Row("day", "a TWAP of 6.5 hours in virtual time, times real time", RATE, day),
]
