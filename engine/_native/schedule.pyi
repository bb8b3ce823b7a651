from typing import Any

import numpy as np
from numpy.typing import NDArray

SLICE: np.dtype[np.void]
SLICES_LIMIT: int

def slices(
    lots: int,
    lot: int,
    start: int,
    end: int,
    slices: int,
    least: int,
    most: int,
    jitter: int,
    size_jitter: int,
    seed: int,
    stream: int = 0,
    /,
) -> NDArray[Any]: ...
