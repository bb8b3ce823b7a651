from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from engine._native.latency import Delays, Histogram

class _Latency(Protocol):
    @property
    def received(self) -> Histogram: ...
    @property
    def decoded(self) -> Histogram: ...
    @property
    def applied(self) -> Histogram: ...
    @property
    def returned(self) -> Histogram: ...
    @property
    def total(self) -> Histogram: ...
    @property
    def clock(self) -> Delays: ...

class Intake:
    """Where the frames of one line enter: to its decoder and into the composer, counted and timed."""

    open: bool
    frames: int
    last_recv: int
    stamp: int
    @property
    def native(self) -> bool: ...
    @property
    def rest(self) -> bool: ...
    def attach(
        self,
        composer: object,
        source: int,
        decoder: object,
        latency: _Latency,
        elapsed: Callable[[], int] | None = None,
    ) -> None: ...
    def receive(self, data: Buffer, ts_recv: int) -> int: ...

class Tap:
    """The callback for frames of one line."""

    def __call__(self, data: Buffer, last: bool = False) -> None: ...

class Pump:
    """Frames in, what changed out: once for all frames that a socket gave at once."""

    on_drain: Callable[[list[int], NDArray[np.void]], object] | None
    running: bool
    due: bool
    frames: int
    drains: int
    errors: int
    batch_max: int
    callback_ns_max: int
    def __init__(
        self,
        lines: Any,
        *,
        on_drain: Callable[[list[int], NDArray[np.void]], object] | None = None,
        clock: Callable[[], int],
        elapsed: Callable[[], int],
        record: Callable[[str, int, int, Any], None] | None = None,
    ) -> None: ...
    @property
    def lines(self) -> Any: ...
    def tap(self, line: int) -> Tap: ...
    def drain(self) -> None: ...
    def _later(self) -> None: ...
    def _obey(self) -> None: ...
    def _broken(self, line: int) -> None: ...
    def _failed(self) -> None: ...

class Gate:
    """Stands before a picows listener: whole messages go straight to ``frame``, all else to ``general``."""

    straight: bool
    def __init__(
        self,
        frame: Callable[..., object],
        general: Callable[[Any, Any], object],
        kinds: tuple[object, object],
        most: int,
    ) -> None: ...
    def on_ws_frame(self, transport: Any, frame: Any) -> None: ...
