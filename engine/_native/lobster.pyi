from typing import Any

import numpy as np
from typing_extensions import Buffer

_Memory = Buffer | np.ndarray[Any, Any]

NO_ASK: int
NO_BID: int

def parse_rows(data: _Memory, columns: int, out: _Memory) -> tuple[int, int, int, bool]: ...

class RowReplay:
    def __init__(self, depth: int, windowed: bool) -> None: ...
    def start(self, row: _Memory) -> None: ...
    def write_row(self, out: _Memory) -> None: ...
    def run(
        self, events: _Memory, truth: _Memory | None, take: bool, rows: _Memory | None, agree: _Memory | None
    ) -> None: ...
    @property
    def counts(self) -> dict[str, int]: ...
