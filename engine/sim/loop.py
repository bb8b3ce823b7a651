"""An asyncio event loop in virtual time: what waits costs nothing, and every run takes the same order.

::

    result = run(bot(), start=OPEN)       # asyncio.sleep(3_600) inside it returns at once, an hour later

Time stands still while anything is ready to run, then jumps to the next timer. So programs see no work taking time;
what takes time in the world (wires, brokers) is said by a timer. Nothing here asks the machine for its clock.
"""

from __future__ import annotations

import asyncio
import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, TypeVarTuple

from engine.core.units import NANOS
from engine.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from contextvars import Context

__all__ = ["SPINS_MAX", "VirtualLoop", "run"]

SPINS_MAX: Final = 100_000  #: iterations at one instant before it is an error: somebody polls, and time cannot pass
_NEVER: Final = 2**62  # ns of the loop's time from which on a timer does not fire
_LATER: Final = 1e9  # s; delays that need no second look
_SWEEP: Final = 100  # cancelled timers kept at least before they are swept out

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop whose time moves only when nothing is ready.

    Timers fire at their nanosecond, those of the same one in the order they were made in. ``time()`` is seconds since
    the loop was made, so a float of it is exact to the ns for 100 days; `clock` gives whole ns since epoch. Functions
    given to executors run inline. There are no sockets, pipes, processes and signal handlers (NotImplementedError).

    Args:
        start: what `clock` says first, ns since epoch.

    Raises:
        InternalError: from whatever runs the loop: it waits, and nothing is left that could wake it; or it ran
            ``SPINS_MAX`` iterations at one instant.
    """

    def __init__(self, start: int = 0) -> None:
        super().__init__()
        self._start = start
        self._elapsed = 0
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._made = 0
        self._cancelled = 0
        self._spins = 0

    def clock(self) -> int:
        """Now, ns since epoch: for whatever takes a clock."""
        return self._start + self._elapsed

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._elapsed / NANOS

    def call_later(
        self, delay: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop's; ``delay`` is rounded to a whole ns. Raises ValueError if it is nan."""
        if not 0 <= delay < _LATER:
            return self.call_at(self.time() + delay, callback, *args, context=context)
        due = self._elapsed + round(delay * NANOS)
        return self._schedule(due, due / NANOS, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As every loop's; ``when`` is rounded to a whole ns. Raises ValueError if it is nan."""
        if math.isnan(when):
            raise ValueError("when is nan; expected seconds of the loop's time")
        due = round(max(when, 0) * NANOS) if when < _NEVER / NANOS else _NEVER
        return self._schedule(due, when, callback, args, context)

    def call_at_clock(
        self, ts: int, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """A timer at an instant of `clock`, ns since epoch, without rounding."""
        due = ts - self._start
        return self._schedule(due, due / NANOS, callback, args, context)

    def _schedule(
        self, due: int, when: float, callback: Callable[..., object], args: Sequence[Any], context: Context | None
    ) -> asyncio.TimerHandle:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        heappush(self._timers, (due, self._made, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by a timer that is cancelled; one that fired already counts, too, which only sweeps sooner."""
        self._cancelled += 1
        if self._cancelled > max(_SWEEP, len(self._timers) // 2):
            self._timers = [entry for entry in self._timers if not entry[2].cancelled()]
            heapify(self._timers)
            self._cancelled = 0

    def _run_once(self) -> None:
        """One iteration: timers that are due, then what was ready at its beginning; called by ``run_forever``."""
        timers, ready = self._timers, self._ready  # type: ignore[attr-defined]
        while timers and timers[0][2].cancelled():
            heappop(timers)
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not timers or timers[0][0] >= _NEVER:
                raise InternalError(
                    f"deadlock in virtual time at {self.clock()}: nothing is ready, no timer is set, and "
                    f"{_waiting(self)}"
                )
            if timers[0][0] > self._elapsed:
                self._elapsed = timers[0][0]
                self._spins = 0
        self._spins += 1
        if self._spins > SPINS_MAX:
            self._spins = 0
            raise InternalError(
                f"{SPINS_MAX} iterations at the instant {self.clock()} of virtual time; expected waiting by a timer "
                "or a future, not polling"
            )
        while timers and timers[0][0] <= self._elapsed:
            timer = heappop(timers)[2]
            if not timer.cancelled():
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def call_soon_threadsafe(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        """As call_soon: nothing outside the loop's thread may wake it."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: object, func: Callable[[*Arguments], Result], *args: *Arguments
    ) -> asyncio.Future[Result]:
        """Runs the function at once and inline: threads have no order that repeats."""
        future: asyncio.Future[Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """As every loop's."""
        super().close()
        self._timers.clear()


def _waiting(loop: VirtualLoop) -> str:
    """Who waits, at most ten names."""
    names = sorted(task.get_name() for task in asyncio.all_tasks(loop))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"these tasks wait: {', '.join(names[:10])}{more}" if names else "no task is left"


def _refused(name: str) -> Callable[..., NoReturn]:
    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise NotImplementedError(f"{name}() on a loop in virtual time: it has no sockets, files, processes or signals")

    refuse.__name__ = name
    return refuse


for _name in (
    *("add_reader", "add_writer", "remove_reader", "remove_writer", "add_signal_handler", "remove_signal_handler"),
    *("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection"),
    *("create_unix_server", "connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "getaddrinfo"),
    *("getnameinfo", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall"),
    *("sock_sendto", "sock_connect", "sock_accept", "sock_sendfile", "sendfile", "start_tls", "subprocess_exec"),
    "subprocess_shell",
):
    setattr(VirtualLoop, _name, _refused(_name))


def run(main: Coroutine[Any, Any, Result], *, start: int = 0) -> Result:
    """``asyncio.run`` in virtual time; ``start`` is what `VirtualLoop.clock` says first, ns since epoch.

    Raises:
        InternalError: as `VirtualLoop`; whatever ``main`` raises.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        return runner.run(main)
