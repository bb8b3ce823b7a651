from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer, disjoint_base

FORMATS: tuple[str, ...]
OTHER_MAX: int

@disjoint_base
class FrameDecoder:
    """Whole frames of one live connection in, records out; it opens nothing and waits for nothing."""

    def __init__(
        self,
        format: str,
        *,
        provider: str | int,
        venue: str = "",
        quotes: Literal["nbbo", "top"] = "nbbo",
        general: bool = False,
    ) -> None: ...
    @property
    def format(self) -> str: ...
    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def _address(self) -> int: ...
    def map(self, symbol: str, instrument: int) -> None: ...
    @overload
    def receive_bytes(self, data: Buffer, ts_recv: int = 0, out: None = None) -> NDArray[np.void]: ...
    @overload
    def receive_bytes(self, data: Buffer, ts_recv: int = 0, *, out: NDArray[np.void]) -> int: ...
    @overload
    def receive_bytes(self, data: Buffer, ts_recv: int, out: NDArray[np.void]) -> int: ...
    def take_other(self, frame: Buffer | None = None) -> list[bytes]: ...
    def take_problem(self) -> str | None: ...

def venue_number_of(name: str) -> int: ...
def tables(format: str) -> dict[str, dict[int, int]]: ...
