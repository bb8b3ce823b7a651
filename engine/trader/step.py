"""The trader: one pure step from what happened to what is to be sent.

`Trader.step` takes in a batch of inputs, strictly in the given order; then it looks after whatever is due, by time;
then it plans each parent that anything happened to, once, by number. It reads no clock and draws no chance but from its
seed, so the same batches lead to the same commands, byte for byte: that is how a journal is replayed, and how a process
that was killed finds itself again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.core.trading import (
    Amend,
    Approved,
    Cancel,
    CancelAll,
    Halt,
    Input,
    Intent,
    LineState,
    Listing,
    OrderState,
    Pause,
    Refusal,
    Release,
    Report,
    Restart,
    Resume,
    Session,
    Snapshot,
    Submit,
    Timer,
    TopChange,
)
from engine.errors import InternalError
from engine.execution.algos import algo_from_dict
from engine.execution.child import Child
from engine.execution.parent import Parent, Traded
from engine.execution.states import LIVE
from engine.execution.timers import NEVER
from engine.risk.gate import Gate, GateFacts
from engine.trader.books import Books
from engine.trader.setup import TraderSetup, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from engine.execution.line import Line
    from engine.execution.planner import Algo, Change, Want
    from engine.risk.positions import Positions

    Check = Callable[[Intent], Refusal | None]
    AlgoOf = Callable[[dict[str, Any]], Algo]

__all__ = ["Trader"]


class Trader:
    """Parents, children, positions and the gate.

    Args:
        setup: everything that decides.
        check: the user's own check, asked by the gate.
        algo: makes an algorithm from its plain form.
    """

    def __init__(self, setup: TraderSetup, check: Check | None = None, algo: AlgoOf = algo_from_dict) -> None:
        self.setup = setup
        self.books = Books(setup)
        self.orders = self.books.orders
        self.gate = Gate(setup.limits, self._asked if check is not None else None)
        self._algo = algo
        self._check = check
        self._given: list[Refusal | None] | None = None
        self._answers: list[Refusal | None] = []
        self._session = (0, 0)
        self._now = 0
        self._apply: dict[type, Callable[[Any, int], None]] = {
            TopChange: self.books.top,
            Submit: self._submit,
            Cancel: lambda one, now: self._cancel(self.books.parents.get(one.parent), now),
            CancelAll: self._cancel_all,
            Amend: self._amend,
            Pause: self._pause,
            Resume: self._resume,
            Halt: self._halt,
            Release: self._release,
            Report: self.orders.receive,
            Snapshot: self.orders.snapshot,
            LineState: self._line,
            Session: self._new_session,
            Listing: self.books.listing,
            Restart: self._restart,
            Timer: lambda one, now: None,
        }

    def set_up(self, setup: TraderSetup, check: Check | None) -> None:
        """Goes on with other limits, brokers or seed, as a new process may want; what happened stays.

        A broker that is not named any more keeps its orders, and gets no new ones.
        """
        halted = self.gate.halted
        self.setup, self._check = replace(setup, seed=self.setup.seed), check  # the first seed stays the journal's
        self.gate = Gate(setup.limits, self._asked if check is not None else None)
        if halted:
            self.gate.halt(halted)
        self.orders.set_up(setup.brokers)
        self.orders.settle_ns = setup.settle_ns

    # ---- the step

    def step(self, inputs: Sequence[Input], now: int, answers: Sequence[Refusal | None] | None = None) -> Turn:
        """Takes in what happened up to ``now``; returns what is to be sent, what is new, and what the check said.

        A ``now`` before the last one is taken as the last one. With ``answers``, from a journal, the check is not
        called.

        Raises:
            InternalError: an invariant is broken; stop.
        """
        self._now = now = max(now, self._now)
        self._given = None if answers is None else list(reversed(answers))
        if self._given:
            self.gate.user_check = self._asked
        apply = self._apply
        for one in inputs:
            apply[type(one)](one, now)
        if self.books.timers.next <= now:
            self._look(now)
        while self.books.touched:
            touched, self.books.touched = self.books.touched, {}
            for number in sorted(touched):
                self._plan(touched[number], now)
        turn = Turn(tuple(self.orders.commands), tuple(self.books.updates), tuple(self._answers))
        self.orders.commands.clear()
        self.books.updates.clear()
        self._answers.clear()
        return turn

    def _look(self, now: int) -> None:
        for key in self.books.timers.take_due(now):
            if isinstance(key, Parent):
                self.books.touch(key)
            elif isinstance(key, Child):
                self.orders.attend(key, now)
            else:
                self.orders.due(key, now)

    # ---- readings

    @property
    def next_timer(self) -> int:
        """When the step is to be taken at the latest; `engine.execution.timers.NEVER` where nothing waits."""
        return self.books.timers.next

    @property
    def now(self) -> int:
        """The time of the last step."""
        return self._now

    @property
    def sequence(self) -> int:
        """Of the newest update."""
        return self.books.sequence

    @property
    def halted(self) -> str:
        """Why nothing new may leave; "" while trading."""
        return self.gate.halted

    @property
    def children(self) -> Mapping[str, Child]:
        """Every child, by each client order id it ever had."""
        return self.orders.children

    def health(self) -> dict[str, Any]:
        """What is strange, for people."""
        unknown = [one.id for line in self.orders.lines.values() for one in line.open.values() if one.doubtful]
        return {
            "halted": self.halted,
            "brokers": {name: line.health() for name, line in self.orders.lines.items()},
            "in_doubt": unknown,
            "orphans": [one.number for one in self.books.parents.values() if one.orphan],
        }

    @property
    def parents(self) -> Mapping[int, Parent]:
        """All there ever were, by number."""
        return self.books.parents

    @property
    def keys(self) -> Mapping[str, int]:
        """Numbers of the parents that were given a key."""
        return self.books.keys

    @property
    def next_parent(self) -> int:
        """A number that no parent ever had."""
        return self.books.next_parent

    @property
    def positions(self) -> Positions:
        """By the index of ``traded``."""
        return self.books.positions

    @property
    def traded(self) -> Mapping[str, Traded]:
        """Instruments by symbol."""
        return self.books.traded

    @property
    def watched(self) -> dict[int, int]:
        """Instruments whose top changes matter, with the levels wanted; the same object until it changes."""
        return self.books.watched

    # ---- what is not an order

    def _new_session(self, session: Session, now: int) -> None:
        if session.open != self._session[0]:
            self.books.positions.begin_day()
        self._session = session.open, session.close
        self.books.touch_all()

    def _line(self, change: LineState, now: int) -> None:
        if change.kind == "broker":
            self.orders.line_state(change, now)

    def _restart(self, one: Restart, now: int) -> None:
        self.orders.restart(now)
        self.books.begin_process()

    # ---- requests

    def _submit(self, asked: Submit, now: int) -> None:
        if asked.parent in self.books.parents or (asked.key is not None and asked.key in self.books.keys):
            return  # the same order, asked for again
        self.books.next_parent = max(self.books.next_parent, asked.parent + 1)
        parent = self.books.parents[asked.parent] = Parent(asked, self.books.instrument(asked.symbol), now)
        if asked.key is not None:
            self.books.keys[asked.key] = asked.parent
        reason = self._begin_algo(parent, now) or self._permit(parent, parent.quantity, parent.price, now)
        if reason:
            parent.reason = reason
            self.books.move(parent, OrderState.REJECTED, now)
        else:
            self.books.enlist(parent, now)

    def _begin_algo(self, parent: Parent, now: int) -> str:
        """Makes the planner; returns what is wrong with the order, "" if nothing."""
        asked, traded = parent.asked, parent.traded
        if self.books.by_id.get(asked.instrument) is not traded:
            return f"instrument {asked.instrument} is not listed as {asked.symbol}"
        if unknown := [name for name in asked.brokers if name not in self.orders.lines]:
            return f"broker {unknown[0]!r} is none of {', '.join(self.orders.lines)}"
        try:
            algo = self._algo(asked.algo)
            algo.check(asked.quantity, traded.lot, traded.tick)
            parent.price, parent.levels = algo.limit_nanos, algo.levels
            parent.start, parent.end = algo.window(now, *self._session)
            seed = self.setup.seed * 0x9E3779B97F4A7C15 + parent.number & 0x7FFFFFFFFFFFFFFF
            parent.planner = algo.planner(asked.quantity, traded.lot, traded.tick, parent.start, parent.end, seed)
        except (KeyError, ValueError) as error:
            return f"algorithm: {error}"
        return ""

    def _permit(self, parent: Parent, quantity: int, price: int, now: int, was: int = 0) -> str:
        """Asks the gate about a parent, or about an amendment of what ``was``; returns the refusal, "" if none."""
        replaces = str(parent.number) if was else ""
        traded = parent.traded
        intent = Intent(
            parent.number, "", traded.id, traded.symbol, parent.side, quantity, price,
            replaces=replaces, increase=quantity - was,
        )  # fmt: skip
        answer = self.gate.check(intent, self._facts(traded, parent.price if was else 0), now)
        return _reason(answer) if isinstance(answer, Refusal) else ""

    def _cancel(self, parent: Parent | None, now: int) -> None:
        if parent is not None and parent.number in self.books.open and parent.ending is None:
            self.books.end(parent, OrderState.CANCELLED, "", now)

    def _cancel_all(self, asked: CancelAll, now: int) -> None:
        for parent in list(self.books.open.values()):
            if asked.tag is None or parent.asked.tag == asked.tag:
                self._cancel(parent, now)

    def _amend(self, asked: Amend, now: int) -> None:
        parent = self.books.open.get(asked.parent)
        if parent is None or parent.ending is not None:
            return
        quantity = parent.quantity if asked.quantity is None else asked.quantity
        price = parent.price if asked.price is None else asked.price
        if (quantity, price) == (parent.quantity, parent.price):
            return
        if reason := self._permit(parent, quantity, price, now, was=parent.quantity):
            self.books.tell(parent.number, "", parent.state, None, f"not amended: {reason}", now)
            return
        parent.quantity, parent.price = quantity, price
        parent.revision += 1
        if parent.free < 0:  # brokers hold more than is wanted now
            self.books.withdraw_all(parent, now)
        self.books.tell(parent.number, "", parent.state, None, "amended", now)
        self.books.touch(parent)

    def _pause(self, asked: Pause, now: int) -> None:
        parent = self.books.open.get(asked.parent)
        if parent is not None and not parent.paused:
            parent.paused = True
            self.books.withdraw_all(parent, now)
            self.books.tell(parent.number, "", parent.state, None, "paused", now)

    def _resume(self, asked: Resume, now: int) -> None:
        parent = self.books.open.get(asked.parent)
        if parent is not None and parent.paused:
            parent.paused = False
            parent.revision += 1
            self.books.tell(parent.number, "", parent.state, None, "resumed", now)
            self.books.touch(parent)

    def _halt(self, asked: Halt, now: int) -> None:
        self.gate.halt(f"{asked.reason or 'halted'} ({asked.source})")

    def _release(self, asked: Release, now: int) -> None:
        self.gate.release()
        self.books.touch_all()

    # ---- planning

    def _plan(self, parent: Parent, now: int) -> None:
        """Ends a parent that is done, or asks its algorithm and does what it wants."""
        if self.books.finish(parent, now) or parent.ending is not None or parent.paused or parent.planner is None:
            return
        line = self._route(parent, now) if parent.traded.id >= 0 else None
        held = line is None or self.gate.halted or parent.hold_until > now
        view = parent.view(0 if held else max(0, parent.free), *self._session)
        plan = parent.planner.plan(view, now)
        parent.watch = plan.watch
        for name in plan.withdraw:
            child = self.orders.children.get(name)
            if child is not None and child.parent is parent:
                self.orders.withdraw(child, now)
        for change in plan.replace:
            self._replace(parent, change, now)
        if line is not None and not held:
            for want in plan.place:
                if not self._place(parent, want, line, now):
                    break
        wake = max(plan.wake, now + 1) if plan.wake else NEVER
        if parent.hold_until > now:
            wake = min(wake, parent.hold_until)
        elif line is None:
            wake = min(wake, self._retry(parent, now))
        self.books.timers.set(parent, wake)
        if plan.done:
            late = parent.end and now >= parent.end
            self.books.end(parent, OrderState.EXPIRED if late else OrderState.CANCELLED, plan.reason, now)

    def _route(self, parent: Parent, now: int) -> Line | None:
        """The first broker of the parent's that may get an order now."""
        lines = self.orders.lines
        if self.setup.settle_ns and not self.orders.settled:
            return None
        for name in parent.asked.brokers or lines:
            line = lines[name]
            if line.ready and line.state == "up" and not line.quarantine(parent.traded.symbol) and line.has_tokens(now):
                return line
        return None

    def _retry(self, parent: Parent, now: int) -> int:
        """When to look again at a parent that no broker may take now; snapshots and lines touch it by themselves."""
        return now + 100_000_000 if any(line.ready for line in self.orders.lines.values()) else NEVER

    def _place(self, parent: Parent, want: Want, line: Line, now: int) -> bool:
        """Takes one wish through the gate; returns whether the next may follow."""
        if want.quantity <= 0 or want.quantity > parent.free:
            raise InternalError(f"parent {parent.number}: {want.quantity} wanted, {parent.free} are free")
        parent.made += 1
        traded = parent.traded
        name = f"{self.books.prefix}{parent.number}-{parent.made}"
        display = want.display if line.facts.display else 0
        intent = Intent(
            parent.number, name, traded.id, traded.symbol, parent.side, want.quantity, want.price,
            line.name, want.tif, want.post_only, display, "", want.quantity,
        )  # fmt: skip
        answer = self._gated(parent, intent, 0, now)
        if answer is None:
            return False
        self.books.placed(self.orders.place(parent, answer, now), now)
        return True

    def _gated(self, parent: Parent, intent: Intent, replaced_price: int, now: int) -> Approved | None:
        answer = self.gate.check(intent, self._facts(parent.traded, replaced_price), now)
        if isinstance(answer, Approved):
            return answer
        reason = _reason(answer)
        parent.hold(parent.refusals + 2, now)
        parent.refusals += 1
        parent.ended, parent.ended_reason = "refused", reason
        self.books.tell(parent.number, intent.client_order_id, OrderState.REJECTED, None, reason, now)
        self.books.touch(parent)
        return None

    def _replace(self, parent: Parent, change: Change, now: int) -> None:
        """Changes a child in place where its broker can, or withdraws it, so that the algorithm places another."""
        child = self.orders.children.get(change.child)
        if child is None or child.parent is not parent or child.over or child.state not in LIVE or child.wanted_gone:
            return
        if child.replacement is not None or child.id != change.child:
            return
        line = self.orders.lines[child.broker]
        if change.quantity - child.ordered > max(0, parent.free):
            raise InternalError(f"parent {parent.number}: {change} grows by more than the {parent.free} that are free")
        if not child.facts.native_replace or change.quantity <= child.cumulative:
            self.orders.withdraw(child, now)
            return
        if line.state != "up" or not line.ready or not line.has_tokens(now):
            return
        parent.made += 1
        old = child.intent
        name = f"{self.books.prefix}{parent.number}-{parent.made}"
        intent = Intent(
            parent.number, name, parent.traded.id, child.symbol, child.side,
            change.quantity, change.price, child.broker, old.tif, old.post_only, old.display, child.id,
            change.quantity - child.quantity,
        )  # fmt: skip
        answer = self._gated(parent, intent, child.price, now)
        if answer is not None:
            self.orders.replace(child, answer, now)
            self.books.changed(child, child.state, (), now)
            self.books.touched.pop(parent.number, None)

    def _facts(self, traded: Traded, replaced_price: int) -> GateFacts:
        positions = self.books.positions
        row = positions[traded.index]
        return GateFacts(
            traded.tick, traded.lot, traded.top, row.mark, row.quantity, row.buying, row.selling,
            positions.gross, positions.long, positions.short, positions.profit, traded.daily_volume,
            *self._session, replaced_price,
        )  # fmt: skip

    def _asked(self, intent: Intent) -> Refusal | None:
        """The user's check, or what it said when the journal was written."""
        if self._given is not None:
            answer = (
                self._given.pop() if self._given else Refusal("check", "no answer in the journal", "one a question")
            )
        elif self._check is None:
            return None
        else:
            answer = _answer(self._check, intent)
        self._answers.append(answer)
        return answer


def _answer(check: Check, intent: Intent) -> Refusal | None:
    """What a user's check says; whatever is wrong with it refuses."""
    try:
        answer: object = check(intent)
    except Exception as error:  # a user's mistake refuses; it does not stop the step
        return Refusal("check", f"{type(error).__name__}: {error}", "a check that does not raise")
    if answer is None or isinstance(answer, Refusal):
        return answer
    return Refusal("check", type(answer).__name__, "Refusal or None")


def _reason(refusal: Refusal) -> str:
    return f"{refusal.limit}: {refusal.value}, allowed: {refusal.bound}"
