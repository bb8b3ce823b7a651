"""When to connect again: exponential back-off with full jitter, from a seed.

Full jitter (a delay drawn uniformly between nothing and a bound that doubles) spreads many clients best; see
M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["Backoff", "BackoffPolicy"]

_MS: Final = 1_000_000
_WORD: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Bounds in ns.

    Attributes:
        base: bound of the first delay; it doubles with each failure.
        cap: the largest bound.
        slow: least delay where a provider asked for patience (a connection limit) and named no time.
        stable: service of this length forgets earlier failures.
        login_retries: how often a login that worked before in this session is tried again; any other is not.
    """

    base: int = 250 * _MS
    cap: int = 30_000 * _MS
    slow: int = 5_000 * _MS
    stable: int = 10_000 * _MS
    login_retries: int = 5


class Backoff:
    """The delays of one line. ``seed`` and ``stream`` decide them all: SplitMix64 (Steele, Lea, Flood, 2014)."""

    __slots__ = ("_state", "failures", "policy")

    def __init__(self, policy: BackoffPolicy, seed: int, stream: int) -> None:
        self.policy = policy
        self.failures = 0
        self._state = (seed * 0x9E3779B97F4A7C15 + (stream + 1) * 0xD1B54A32D192ED03) & _WORD

    def served(self, duration: int) -> None:
        """A connection gave service for so long before it ended."""
        if duration >= self.policy.stable:
            self.failures = 0

    def delay(self, least: int = 0) -> int:
        """How long to wait (ns) after one more failure: ``least``, and a uniform part of the bound."""
        bound = min(self.policy.cap, self.policy.base << min(self.failures, 40))
        self.failures += 1
        return least + (self._word() * bound >> 64)

    def first(self) -> int:
        """Where a provider asks us to come back at once: no wait, but counted, so that it cannot make us spin."""
        self.failures += 1
        return 0

    def slow_delay(self, least: int = 0) -> int:
        """The same where patience is asked for: ``least`` or the policy's, half of it as jitter, and the usual."""
        least = max(least, self.policy.slow)
        return least + (self._word() * (least // 2) >> 64) + self.delay()

    def _word(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _WORD
        word = self._state
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
        word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
        return word ^ word >> 31
