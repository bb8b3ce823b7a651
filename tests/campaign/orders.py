"""One session of orders with kills at bytes of the journal, against simulated brokers that do everything wrong.

The journal is the real one, in memory. A write that would pass the byte a kill was drawn for ends there, in mid-record
or not, and the process is gone: what the file holds then, or what a loss of power leaves of it, is all that the next
process has. Orders leave only after the commit, as in `engine.live.driver`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.execution.codec import VERSION
from engine.storage.journal import Journal
from engine.storage.journal_file import MemoryFile, Stopped
from engine.trader import replay_journal
from tests.execution.algos.test_twap_session import Worked
from tests.trader.adversary import QUIET
from tests.trader.exchange_session import ExchangeSession

KINDS = {  # words in what a session found wrong -> what it is called in the campaign's summary
    "is lost": "lost",
    "may trade of": "doubled",
    "is not resolved": "unresolved",
    "is still": "unresolved",
    "still works": "unresolved",
    "position": "position_errors",
    "cash": "position_errors",
    " filled ": "position_errors",
}


@dataclass
class Outcome:
    """What one session came to; ``problems`` in words."""

    seed: int
    problems: list[str]
    kills: int
    bytes: int

    def kinds(self) -> set[str]:
        """Names of the summary that its problems count under."""
        return {next((name for words, name in KINDS.items() if words in problem), "other") for problem in self.problems}


class Killed(Worked, ExchangeSession):
    """A session whose process dies at bytes of its journal.

    Args:
        seed: of everything.
        cut: die once, at this byte; else at bytes that are drawn.
    """

    def __init__(self, seed: int, cut: int | None = None) -> None:
        self._chance = Random(seed * 31 + 7)
        self._cut = cut
        self._open(MemoryFile(step=1 << 12))
        while True:
            try:
                super().__init__(seed, duration=12 * 10**9, parents=3)
                return
            except Stopped:  # before anything was asked for
                self._open(MemoryFile(bytes(self.file.content), step=1 << 12))

    def _open(self, file: MemoryFile) -> None:
        file.stop_at = None
        self.file, self.journal = file, Journal.open(file, uid=bytes(16))
        if self._cut is not None:
            self.file.stop_at, self._cut = self._cut, None
            if self.file.stop_at <= self.journal.end:  # of the head: a file that was never opened
                self.file.stop_at = self.journal.end + 1
        elif self._chance.random() < 0.7:
            self.file.stop_at = self.journal.end + self._chance.randrange(1, 12_000)

    @property
    def records(self):
        return list(self.journal.records())

    @records.setter
    def records(self, none):
        assert none == []

    def keep(self, kind, payload):
        if self.faults is QUIET:  # a kill is a fault, too: the bound counts from the last one
            self.file.stop_at = None
        self.journal.append(kind, payload, self.now, version=VERSION)
        self.journal.commit()

    def step(self):
        try:
            super().step()
        except Stopped:
            self.torn()

    def torn(self):
        """The process died in mid-write: the next one finds what is there."""
        left = (
            self.file.crashed(lambda sector: self._chance.random() < 0.5) if self._chance.random() < 0.3 else self.file
        )
        self._open(MemoryFile(bytes(left.content), step=1 << 12))
        self._again()

    def kill(self, commands=(), lose=0):
        """The process died between two writes, after some commands had left."""
        self.send(commands)
        self._open(MemoryFile(bytes(self.file.content), step=1 << 12))
        self._again()

    def _again(self):
        while True:
            try:
                self.restart()
                self.begin_again()
                return
            except Stopped:
                self._open(MemoryFile(bytes(self.file.content), step=1 << 12))


def run(seed: int, cut: int | None = None) -> Outcome:
    """One session to its end, then its journal through the step once more."""
    session = Killed(seed, cut)
    problems = session.run()
    again = replay_journal(session.journal.records(), session.algo)
    if again.first_difference:
        problems.append(f"seed {seed}: the replay differs: {again.first_difference}")
    return Outcome(seed, problems, session.killed, session.journal.end)
