"""Chance that means the same on every machine: integers from Philox words, by integer arithmetic only."""

from __future__ import annotations

import numpy as np

__all__ = ["Draws"]


class Draws:
    """Random integers from one Philox4x64 stream keyed by (seed, stream)."""

    def __init__(self, seed: int, stream: int) -> None:
        # The key is given as it is: no seed hashing, whose result NumPy could change.
        self._philox = np.random.Philox(key=np.array([seed, stream], np.uint64))
        self._words: list[int] = []

    def word(self) -> int:
        """Uniform in [0, 2^64)."""
        if not self._words:
            self._words = self._philox.random_raw(1_024).tolist()
        return self._words.pop()

    def below(self, bound: int) -> int:
        """Uniform in [0, bound)."""
        return (self.word() * bound) >> 64

    def geometric(self) -> int:
        """0, 1, 2, ... with probabilities 1/2, 1/4, 1/8, ..."""
        return 64 - (self.word() | 1).bit_length()

    def waiting(self, mean: int) -> int:
        """A waiting time with mean ``mean``, exponential but for log2 being taken as linear between powers of two."""
        word = self.word() | 1
        length = word.bit_length()
        # -log2(word / 2^64) = 64 - length + 1 - fraction, in units of 2^-32; the linear rule makes its mean 3/2
        fraction = (word << (64 - length) & (2**63 - 1)) >> 31
        return mean * (((64 - length) << 32) + 2**32 - fraction) // (3 << 31) + 1
