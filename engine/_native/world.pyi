from typing import Any

import numpy as np
from numpy.typing import NDArray

class World:
    def __init__(
        self,
        symbols: int,
        seed: int,
        start: int,
        end: int,
        opening: int,
        rate: int,
        venue: int,
        provider: int,
    ) -> None: ...
    @property
    def now(self) -> int: ...
    @property
    def next_time(self) -> int: ...
    def advance(self, until: int, /) -> NDArray[np.void]: ...
    def submit(self, orders: NDArray[Any], at: int, /) -> NDArray[np.void]: ...
    def take_reports(self) -> NDArray[np.void]: ...
    def show(self, instrument: int, /) -> NDArray[np.void]: ...
