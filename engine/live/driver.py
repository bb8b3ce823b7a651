"""One trader on its way through time: inputs in one order, a journal before every order, commands after it.

No loop and no socket; whoever drives it calls `Driver.turn` when there is something, and `Driver.settle` when the
journal has news.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from engine.core.trading import (
    Amend,
    Cancel,
    CancelAll,
    Halt,
    Pause,
    Place,
    Release,
    Replace,
    Report,
    ReportKind,
    Resume,
    Submit,
)
from engine.errors import StorageError
from engine.execution.codec import BATCH, VERSION, encode_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.trading import Command, Input, Update
    from engine.storage.journal import Journal
    from engine.trader import Trader, Turn

__all__ = ["Driver"]

_LOG: Final = logging.getLogger("engine.live")
_REQUESTS: Final = (Submit, Cancel, CancelAll, Amend, Pause, Resume, Halt, Release)
_NOT_SENT: Final = {Place: ReportKind.REJECTED, Replace: ReportKind.REPLACE_REJECTED}


class Driver:
    """Steps a trader, journals each step, and sends its commands once the journal has them for good.

    A journal that fails stops new orders: the trader is halted, what could add to the market and has not left never
    leaves, and cancels and questions go out without it.

    Args:
        trader: of this moment.
        journal: None for tests: nothing is kept.
        send: takes commands, in order.
        on_updates: takes the news of each step.
        clock: wall time, ns.
    """

    def __init__(
        self,
        trader: Trader,
        journal: Journal | None,
        send: Callable[[Sequence[Command]], None],
        on_updates: Callable[[Sequence[Update]], None],
        clock: Callable[[], int],
    ) -> None:
        self.trader = trader
        self.steps = self.commands = 0
        self.inline = False  #: make each step durable before going on, where nobody tells of the journal's news
        self._journal, self._send, self._on_updates, self._clock = journal, send, on_updates, clock
        self._queue: list[Input] = []
        self._waiting: deque[tuple[int, tuple[Command, ...]]] = deque()
        self._turning = False
        self.failed = ""  #: why nothing is journalled any more
        self._halting = 0  # halts that wait to be stepped
        self._shift = 0  # what the clock has been set back since the trader's last time
        self._last = 0

    @property
    def last(self) -> int:
        """The journal's sequence of the newest step; 0 without a journal."""
        return self._last

    @property
    def idle(self) -> bool:
        """Nothing waits to be stepped or sent."""
        return not self._queue and not self._waiting

    def put(self, one: Input) -> None:
        """Something happened; the next `turn` takes it in. A halt keeps back from now on what has not left."""
        self._queue.append(one)
        self._halting += isinstance(one, Halt)

    def now(self) -> int:
        """The trader's time: the clock's, but never before the last step's; it goes on where a clock was set back."""
        now = self._clock() + self._shift
        if now < self.trader.now:
            self._shift += self.trader.now - now
            now = self.trader.now
        return now

    @property
    def shift(self) -> int:
        """How much the trader's time is ahead of the clock's, ns."""
        return self._shift

    def turn(self) -> None:
        """Steps until nothing is left to take in, a due timer included. Called again from inside, it does nothing."""
        if self._turning:
            return
        self._turning = True
        try:
            while self._queue or self.trader.next_timer <= self.now():
                inputs, self._queue = self._queue, []
                now = self.now()
                try:
                    turn = self.trader.step(inputs, now)
                    self._halting -= sum(isinstance(one, Halt) for one in inputs)
                    self._keep(inputs, turn, now)
                except Exception as error:  # a broken invariant: nothing new from here on, cancels pass
                    _LOG.exception("the step failed; no new order leaves")
                    self.trader.orders.commands.clear()
                    if self.failed:
                        return
                    self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._turning = False

    def _keep(self, inputs: Sequence[Input], turn: Turn, now: int) -> None:
        self.steps += 1
        self.commands += len(turn.commands)
        if self._journal is not None and not self.failed:
            try:
                payload = encode_batch(inputs, turn.answers, turn.commands)
                self._last = self._journal.append(BATCH, payload, now, version=VERSION)
            except (StorageError, ValueError, TypeError) as error:
                self._fail(str(error))
        if self._journal is None or self.failed:
            if turn.updates:
                self._on_updates(turn.updates)
            self._let_go(turn.commands)
            return
        if turn.commands:
            self._waiting.append((self._last, turn.commands))
        if turn.commands or any(isinstance(one, _REQUESTS) for one in inputs):
            self.flush()
        if turn.updates:
            self._on_updates(turn.updates)
        self.settle()

    def settle(self) -> None:
        """Sends what the journal has for good; notices that it failed."""
        journal = self._journal
        if journal is None:
            return
        durable = journal.durable
        while self._waiting and self._waiting[0][0] <= durable:
            self._let_go(self._waiting.popleft()[1])
        if journal.failed is not None and not self.failed:
            self._fail(journal.failed)
        if self._queue:
            self.turn()

    def _let_go(self, commands: Sequence[Command]) -> None:
        """Sends commands, but for what a halt or failure since they were decided keeps back."""
        if self.failed:
            commands = self._reducing(commands, self.failed)
        elif self.trader.halted or self._halting:
            commands = self._reducing(commands, "halted")
        if commands:
            self._send(commands)

    def flush(self) -> None:
        """Lets what was appended without a hurry become durable too."""
        if self._journal is None or self.failed:
            return
        if self.inline:
            with contextlib.suppress(StorageError):  # `settle` sees it
                self._journal.commit()
        else:
            self._journal.submit()

    def _fail(self, reason: str) -> None:
        self.failed = f"the journal failed: {reason}"
        _LOG.critical("%s; no new order leaves", self.failed)
        while self._waiting:
            self._let_go(self._waiting.popleft()[1])
        self.put(Halt(self.failed, "journal"))

    def _reducing(self, commands: Sequence[Command], why: str) -> tuple[Command, ...]:
        """What may leave all the same. The rest is told to the trader: it never left, and that is certain."""
        allowed = []
        for command in commands:
            if isinstance(command, Place | Replace):
                intent = command.order.intent
                self.put(
                    Report(
                        intent.broker,
                        _NOT_SENT[type(command)],
                        intent.client_order_id,
                        reason=f"not sent: {why}",
                        symbol=intent.symbol,
                        ts_recv=self._clock(),
                    )
                )
            else:
                allowed.append(command)
        return tuple(allowed)
