"""Settings as they stand in a file or a variable, checked: one error per mistake, without secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["MASK", "SettingReader", "listed", "masked_url"]

MASK: Final = "***"  #: what stands for a secret wherever text is shown
_QUERY: Final = re.compile(r"([?&][^=&#]*=)[^&#]*")
_USER: Final = re.compile(r"(?<=://)[^/?#]*@")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def masked_url(url: str) -> str:
    """A URL as it may be logged: user information and every value of its query are hidden."""
    return _QUERY.sub(rf"\1{MASK}", _USER.sub(f"{MASK}@", url))


def listed(text: str) -> list[str]:
    """The parts of "a, b,c"."""
    return [part.strip() for part in text.split(",") if part.strip()]


class SettingReader:
    """Values as they stand in a file or variable, checked; ``where`` goes before each message."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, key: str, value: Any, expected: str) -> ConfigError:
        """The error of a value; the caller raises it. Secrets are masked."""
        secret = key.lower().endswith(("key", "secret"))
        shown = MASK if secret else repr(masked_url(value) if isinstance(value, str) else value)
        return ConfigError(f"{self.where}{key} is {shown}; expected {expected}")

    def keys(self, path: str, table: Mapping[str, Any], allowed: Iterable[str]) -> None:
        """No key but those allowed."""
        allowed = list(allowed)
        for key in table:
            if key not in allowed:
                name = f"{path}.{key}" if path else key
                raise ConfigError(f"{self.where}{name} is not known; expected one of {', '.join(allowed)}")

    def tables(self, path: str, value: Any) -> dict[str, dict[str, Any]]:
        """A table of tables, each with a name people may type."""
        if not isinstance(value, dict):
            raise self.wrong(path, value, "tables")
        for name, table in value.items():
            if not isinstance(table, dict):
                raise self.wrong(f"{path}.{name}", table, "a table")
            if not _NAME.fullmatch(name):
                raise ConfigError(f"{self.where}{path}.{name}: expected a name of a-z, 0-9, - and _, at most 32")
        return value

    def text(self, key: str, value: Any) -> str:
        """A text that is not empty."""
        if not isinstance(value, str) or not value:
            raise self.wrong(key, value, "text")
        return value

    def texts(self, key: str, value: Any) -> tuple[str, ...]:
        """A list of such texts."""
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.wrong(key, value, "a list of texts")
        return tuple(value)

    def choice(self, key: str, value: Any, allowed: Iterable[str]) -> Any:
        """One of a few values."""
        allowed = list(allowed)
        if value not in allowed:
            raise self.wrong(key, value, "one of " + ", ".join(map(repr, allowed)))
        return value

    def boolean(self, key: str, value: Any) -> bool:
        """True or false; "1", "0" and the words in variables."""
        known = {True: True, False: False, "1": True, "true": True, "0": False, "false": False}
        if not isinstance(value, bool | str) or value not in known:
            raise self.wrong(key, value, "true or false")
        return known[value]

    def whole(self, key: str, value: Any, least: int = 0) -> int:
        """A whole number; digits in variables."""
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**63:
            raise self.wrong(key, value, f"a whole number of at least {least}")
        return value
