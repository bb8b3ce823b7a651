from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import Buffer

_Memory = Buffer | np.ndarray[Any, Any]

def body_size(rows: int) -> int: ...
def to_columns(events: _Memory, out: _Memory) -> int: ...
def to_events(data: _Memory, body: int, offsets: Sequence[int], events: _Memory) -> None: ...
