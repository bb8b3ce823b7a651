"""What users choose for a parent order: how it is worked.

To add one: a frozen dataclass that has what `engine.execution.planner.Algo` asks for, and its name here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from engine.execution.algos.immediate import Immediate
from engine.execution.algos.limit import Limit
from engine.execution.algos.twap import TWAP

if TYPE_CHECKING:
    from engine.execution.planner import Algo

__all__ = ["ALGOS", "algo_from_dict"]

ALGOS: Final[dict[str, type[Algo]]] = {kind.name: kind for kind in (Limit, Immediate, TWAP)}


def algo_from_dict(plain: dict[str, Any]) -> Algo:
    """The algorithm of a plain form.

    Raises:
        ValueError: an unknown one, or a value it does not allow.
    """
    kind = ALGOS.get(plain.get("algo", ""))
    if kind is None:
        raise ValueError(f"algo is {plain.get('algo')!r}; expected one of {', '.join(ALGOS)}")
    return kind.from_dict(plain)
