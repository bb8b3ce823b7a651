"""A quantity over a window in slices: sizes in whole lots that sum exactly, chance only from the seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["plan_slices"]

_SEEDS: Final = 2**64
_STREAMS: Final = 2**32


def plan_slices(
    quantity: int,
    lot: int,
    window: tuple[int, int],
    slices: int,
    *,
    least: int = 0,
    most: int = 0,
    jitter: int = 0,
    size_jitter: int = 0,
    seed: int = 1,
    stream: int = 0,
) -> NDArray[Any]:
    """Array of (ts, quantity): ``engine._native.schedule.slices`` for quantities instead of lots.

    Fewer slices than asked where they would fall below ``least``, more where they would exceed ``most``; where both
    cannot be held, ``most`` is.

    Args:
        quantity: count of 1e-9; what is not a whole lot is left out.
        lot: count of 1e-9.
        window: start and end, ns.
        slices: how many.
        least: of a slice, count of 1e-9; 0 for a lot.
        most: of a slice, count of 1e-9; 0 for all.
        jitter: ns to either side of the middle of a slice's even part of the window.
        size_jitter: share of an even slice by which the cumulative path may leave the straight line, times 1e9.
        seed: other ones give other times and sizes.
        stream: likewise.

    Raises:
        ValueError: less than a lot, or a window that is too short for the slices.
    """
    from engine._native.schedule import slices as native

    if (lots := quantity // lot) < 1:
        raise ValueError(f"quantity is {quantity}; expected at least a lot, {lot}")
    low = max(-(-least // lot), 1)
    high = max(most // lot, 1) if most else lots
    count = max(min(slices, lots // low), -(-lots // high), 1)
    low = min(low, lots // count)
    start, end = window
    return native(lots, lot, start, end, count, low, high, jitter, size_jitter, seed % _SEEDS, stream % _STREAMS)
