import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer, disjoint_base

from engine.core.instruments import Instruments
from engine.core.side import SideMessage

FORMATS: tuple[str, ...]

@disjoint_base
class SymbolTable:
    """Symbols by id: contiguous from 0, given on first use, never reused. Shared by decoders, from any thread."""

    def add(self, symbol: str) -> int: ...
    def find(self, symbol: str) -> int: ...
    def symbol(self, number: int) -> str: ...
    def symbols(self, start: int = 0) -> list[str]: ...
    def __len__(self) -> int: ...

@disjoint_base
class Decoder:
    """Bytes of one feed or file in, records out; it opens nothing and waits for nothing."""

    def __init__(
        self,
        format: Literal["itch", "moldudp64", "iex", "pcap", "lobster"],
        instruments: Instruments | None = None,
        *,
        symbol: str | None = None,
        date: datetime.date | str | None = None,
        lenient: bool = False,
        venue: str | None = None,
        provider: str | int | None = None,
    ) -> None: ...
    @property
    def format(self) -> str: ...
    @property
    def instruments(self) -> Instruments: ...
    @property
    def counts(self) -> dict[str, int]: ...
    def receive_bytes(self, data: Buffer, ts_recv: int = 0) -> NDArray[np.void]: ...
    def close(self) -> NDArray[np.void]: ...
    def take_bytes(self) -> bytes: ...
    def take_side(self) -> list[SideMessage]: ...
    def take_side_records(self) -> NDArray[np.void]: ...
