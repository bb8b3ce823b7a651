"""The seeded market as slow clear Python: the specification of ``native/world``.

One `Flow` is the agents of one symbol. Prices inside are in parts of a tick (``PARTS`` a tick), quantities in shares;
the venue's are counts of 1e-9. All arithmetic is on integers; ``//`` and ``>>`` round down, for negative numbers too.
"""

from __future__ import annotations

from math import isqrt
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.core.events import Flag, Kind, Side, Status
from engine.core.orders import ORDER, REPORT, Action, ReportFlag, ReportKind, TimeInForce
from engine.core.units import NANOS
from engine.sim.draws import Draws
from engine.sim.world import OPEN, PROVIDER, TICK, VENUE
from tests.reference.venue import Venue

PARTS = 1 << 26
SESSION_NS = 23_400 * NANOS
AGENTS = 1 << 42  # streams of what agents draw; those of the news are 0, 1, 2, ...
SHARES_PER_ACT = 15  # executed, on average: what makes a day's volume of a rate
LEAST, MOST = 200 * PARTS, (1 << 20) * PARTS  # of a fair price
GRID = NANOS // 8  # of time: the transient impact decays in steps
DECAY = [4294967296, 3938502376, 3611622603, 3311872529, 3037000500, 2784941738, 2553802834, 2341847524]  # 2^(32-k/8)
WEIGHTS = [1_024, 362, 128, 45]  # of the transient parts, 1024 / sqrt(half-life in s); half-lives 1, 8, 64, 512 s


class Flow:
    """The agents of one symbol, and what they believe."""

    def __init__(self, world: World, index: int, seed: int, start: int, rate: int) -> None:
        self.world, self.index, self.rate, self.ts = world, index, rate, start
        self.news, self.draws = Draws(seed, index), Draws(seed, AGENTS | index)
        price = 2_000 + self.news.below(48_000)
        acts = rate * 23_400
        # one standard deviation of a step of the news at volatility 2: 1.5 % of the price a day, if a book can follow
        self.unit = min(PARTS // 8, max(PARTS // 256, price * PARTS * 15 // 1_000 // isqrt(acts)))
        day, volume = self.unit * isqrt(acts), acts * SHARES_PER_ACT
        self.permanent = day // volume
        self.kicks = [168 * day * weight // 1_024 // volume for weight in WEIGHTS]
        self.fair, self.transient, self.grid, self.volatility = price * PARTS, [0] * 4, start // GRID, 2
        self.orders = 0
        self.pool: list[int] = []  # live orders of the agents, in an order that draws may use
        self.resting: dict[int, dict[str, int]] = {}

    # ---- the course of things

    def open(self) -> None:
        self.world.venue.publish(Kind.STATUS, self.index, self.ts, Side.NONE, 0, 0, 0, conditions=Status.TRADING)
        self.world.venue.end()
        for _ in range(150):
            self.make(Side.BID)
            self.make(Side.ASK)
        self.wait()

    def wait(self) -> None:
        x = min((self.ts - OPEN) % (24 * 3_600 * NANOS), SESSION_NS) * 2_000 // SESSION_NS - 1_000
        self.ts += self.news.waiting(NANOS // self.rate) * 1_000_000 // (500_000 + 3 * x * x // 2)

    def step(self) -> None:
        self.decay(self.ts)
        self.hear()
        bid, ask = self.touch()
        low, high = (self.value + PARTS // 5 - 1) // PARTS, -(-(self.value - PARTS // 5 + 1) // PARTS)
        if bid and ask and not (bid <= low and high <= ask) and self.draws.below(3):
            self.correct(Side.ASK if self.value >= ask * PARTS else Side.BID)
        else:
            self.act(bid, ask)
        self.wait()

    def act(self, bid: int, ask: int) -> None:
        act = self.draws.below(1_000)
        if act < 30:
            self.take(self.noise_side(), noise=True)
        elif act < 40:
            if bid and ask:
                self.hidden()
        elif act < 80:
            self.reduce()
        elif act < 160:
            if order := self.leave():
                self.move(order)
        elif self.draws.below(2 * self.target) < len(self.pool):
            if order := self.leave():
                self.send(Action.CANCEL, order)
        else:
            self.make(Side.BID if self.draws.below(2) else Side.ASK)

    def hear(self) -> None:
        """News: the sum of four uniforms is normal enough; volatility wanders between 1 and 8, drawn towards 2."""
        word, half = self.news.word(), self.unit * 433 // 1_000 * self.volatility
        drawn = sum((word >> 16 * place & 0xFFFF) * (2 * half + 1) >> 16 for place in range(4))
        self.fair = min(MOST, max(LEAST, self.fair + drawn - 4 * half))
        if self.news.below(4 * self.rate) == 0:
            up = self.news.below(8) < (5 if self.volatility < 2 else 3)
            self.volatility = min(8, max(1, self.volatility + (1 if up else -1)))

    def decay(self, ts: int) -> None:
        grid = ts // GRID
        for place in range(4):
            steps = (grid >> 3 * place) - (self.grid >> 3 * place)
            self.transient[place] = (self.transient[place] * DECAY[steps & 7] >> 32) >> (steps >> 3)
        self.grid = grid

    def traded(self, shares: int) -> None:
        """Somebody bought so many shares (sold: negative) without knowing more than the market."""
        self.fair = min(MOST, max(LEAST, self.fair + self.permanent * shares))
        for place in range(4):
            moved = self.transient[place] + self.kicks[place] * shares
            self.transient[place] = min(MOST, max(-MOST, moved))

    # ---- what agents see

    @property
    def value(self) -> int:
        return min(MOST, max(LEAST, self.fair + sum(self.transient)))

    def touch(self) -> tuple[int, int]:
        """Best prices in ticks, at most 2^30; 0 where a side is empty."""
        bid, ask = (self.world.best(self.index, side)[0] for side in (Side.BID, Side.ASK))
        return min(bid // TICK, 1 << 30), min(ask // TICK, 1 << 30)

    @property
    def target(self) -> int:
        """Orders the book is drawn towards: fewer when prices move more."""
        return 350 - 25 * self.volatility

    # ---- what agents do

    def quote(self, side: Side) -> int:
        """A passive price in ticks: a humped distance behind half the spread from the value, not through the touch.

        Half the spread grows with volatility and with what the book lacks of its usual orders.
        """
        lacking = max(0, self.target - len(self.pool))
        half = 3 * PARTS // 10 + self.volatility * self.unit * 3 // 2 + lacking * PARTS // 250
        distance = self.draws.geometric()
        distance += self.draws.below(24) if self.draws.below(4) == 0 else self.draws.below(5)
        bid, ask = self.touch()
        if side is Side.BID:
            price = (self.value - half) // PARTS - distance
            return min(price, ask - 1) if ask else price
        price = -(-(self.value + half) // PARTS) + distance
        return max(price, bid + 1)

    def size(self) -> int:
        """Shares: round lots, or in a quarter of the cases an odd lot."""
        return 1 + self.draws.below(99) if self.draws.below(4) == 0 else 100 * (1 + self.draws.geometric())

    def make(self, side: Side) -> None:
        price, size = self.quote(side), self.size()
        if price > 0:
            self.send_new(side, price * TICK, size, TimeInForce.GTC)

    def move(self, order_id: int) -> None:
        order = self.resting[order_id]
        price, size = self.quote(Side(order["side"])), self.size()
        if price > 0:
            self.send(Action.REPLACE, order_id, price=price * TICK, quantity=order["cumulative"] + size * NANOS)

    def reduce(self) -> None:
        if (order_id := self.leave()) and (shares := self.resting[order_id]["leaves"] // NANOS) > 1:
            order = self.resting[order_id]
            left = (1 + self.draws.below(shares - 1)) * NANOS
            self.send(Action.REPLACE, order_id, price=order["price"], quantity=order["cumulative"] + left)

    def leave(self) -> int:
        """An order that may go: of two drawn, the one farther from the value; 0 where there is none."""
        if not self.pool:
            return 0
        one, two = (self.pool[self.draws.below(len(self.pool))] for _ in range(2))
        far = [abs(self.resting[order]["price"] // TICK * PARTS - self.value) for order in (one, two)]
        return one if far[0] >= far[1] else two

    def take(self, side: Side, *, noise: bool) -> None:
        """A marketable order takes from ``side``, at most two ticks deep."""
        shares = self.size() * (1 + self.draws.geometric())
        best, _, _ = self.world.best(self.index, side)
        if not best or best > (1 << 30) * TICK:
            return
        price = best + 2 * TICK if side is Side.ASK else best - 2 * TICK
        if price <= 0:
            return
        bought = self.send_new(Side.BID if side is Side.ASK else Side.ASK, price, shares, TimeInForce.IOC)
        if noise:
            self.traded(bought)

    def noise_side(self) -> Side:
        """The side to take from: the more probable, the thinner it is (Gould and Bonart: Queue imbalance, 2016)."""
        bid, ask = (self.world.best(self.index, side)[1] // NANOS for side in (Side.BID, Side.ASK))
        buys = 250 + 500 * bid // (bid + ask) if bid + ask else 500
        return Side.ASK if self.draws.below(1_000) < buys else Side.BID

    def correct(self, side: Side) -> None:
        """The best order of ``side`` is off the value: half of the time its maker is quicker than a taker."""
        _, _, front = self.world.best(self.index, side)
        if front in self.resting and self.draws.below(2) == 0:
            self.move(front)
        else:
            self.take(side, noise=False)

    def hidden(self) -> None:
        """A print against an order nobody saw, inside the spread."""
        bid, ask = (self.world.best(self.index, side)[0] for side in (Side.BID, Side.ASK))
        side = Side.BID if self.draws.below(2) else Side.ASK
        self.world.venue.publish(Kind.TRADE, self.index, self.ts, side, 0, (bid + ask) // 2, self.size() * NANOS)
        self.world.venue.end()
        self.world.venue.events[-1]["flags"] |= Flag.HIDDEN

    # ---- between agents and venue

    def send_new(self, side: Side, price: int, shares: int, tif: TimeInForce) -> int:
        self.orders += 1
        order_id = self.index << 40 | self.orders
        return self.send(Action.NEW, order_id, side=side, price=price, quantity=shares * NANOS, tif=tif)

    def send(self, action: Action, order_id: int, **fields: int) -> int:
        """One request of an agent; the shares that it bought, or sold (negative)."""
        return self.enter({"ts": self.ts, "instrument": self.index, "action": action, "order_id": order_id, **fields})

    def enter(self, fields: dict[str, int]) -> int:
        order = np.zeros(1, ORDER)
        for name, value in fields.items():
            order[name] = value
        bought = 0
        for report in self.world.venue.apply(order):
            if report["owner"]:
                self.world.reports.append(report)
            else:
                self.follow(report)
            if report["kind"] == ReportKind.FILL and report["flags"] & ReportFlag.TAKER:
                bought += int(report["quantity"]) if report["side"] == Side.BID else -int(report["quantity"])
        return bought // NANOS

    def follow(self, report: Any) -> None:
        """What happened to an order of an agent; the last order of the pool takes the place of one that leaves."""
        if report["kind"] == ReportKind.REJECTED:
            return
        order_id = int(report["order_id"])
        if report["leaves"] == 0:
            if order_id in self.resting:
                del self.resting[order_id]
                place, last = self.pool.index(order_id), self.pool.pop()
                if last != order_id:
                    self.pool[place] = last
            return
        if order_id not in self.resting:
            self.pool.append(order_id)
            self.resting[order_id] = {name: int(report[name]) for name in ("price", "side")}
        if report["kind"] == ReportKind.REPLACED:
            self.resting[order_id]["price"] = int(report["price"])
        self.resting[order_id] |= {name: int(report[name]) for name in ("leaves", "cumulative")}


class World:
    """Flows of several symbols on one venue, each on its own seeded streams."""

    def __init__(self, symbols: int, seed: int, start: int, end: int, rate: int) -> None:
        self.venue = Venue([SimpleNamespace(tick="0.01", lot="1")] * symbols, venue_id=VENUE)
        self.now, self.start, self.end = start, start, end
        self.flows = [Flow(self, index, seed, start, rate) for index in range(symbols)]
        self.reports: list[Any] = []
        self.opened = False

    def open(self) -> None:
        self.opened = True
        for flow in self.flows:
            flow.open()

    def advance(self, until: int) -> np.ndarray:
        """Everything before ``until``, and what was left to tell."""
        stop = min(until, self.end)
        if not self.opened and stop > self.start:
            self.open()
        while self.opened and (flow := min(self.flows, key=lambda flow: (flow.ts, flow.index))).ts < stop:
            flow.step()
        self.now = max(self.now, until)
        events = self.venue.take_events()
        events["provider"], events["ts_recv"] = PROVIDER, self.now
        if len(events):
            events["flags"][-1] |= Flag.BATCH_END
        return events

    def submit(self, orders: np.ndarray) -> np.ndarray:
        """Requests of others, carried out now; what it reports to them."""
        if not self.opened:
            self.open()
        waiting, self.reports = self.reports, []
        for order in orders:
            fields = {name: order[name] for name in ORDER.names or () if name != "reserved"} | {"ts": self.now}
            live = self.venue.live.get(int(order["order_id"]))
            index = int(order["instrument"]) if live is None or order["action"] == Action.NEW else live.instrument
            flow = self.flows[index if index < len(self.flows) else 0]
            flow.decay(self.now)
            flow.traded(flow.enter(fields))
        caused, self.reports = self.reports, waiting
        return np.array(caused, REPORT)

    def take_reports(self) -> np.ndarray:
        taken, self.reports = self.reports, []
        return np.array(taken, REPORT)

    def best(self, index: int, side: Side) -> tuple[int, int, int]:
        """Price, displayed quantity and the order in front; zeros where there is none."""
        book = self.venue.books[index]
        for price in book.prices(side)[:1]:
            queue = book.sides[side][price]
            return price, sum(order.shown for order in queue), queue[0].order_id
        return 0, 0, 0
