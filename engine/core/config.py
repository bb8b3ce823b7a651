"""What a user sets: providers and their keys, and how to listen, from a TOML file and the environment.

::

    providers = ["polygon", "alpaca-sip"]      # which to connect to; without it, every provider table of the file

    [provider.polygon]
    key_env = "MASSIVE_KEY"                    # or key = "..."

    [provider.alpaca-sip]                      # a name of your own; or simply the provider's
    name = "alpaca"
    feed = "sip"

    [market]
    symbols = ["AAPL", "MSFT"]
    transport = "picows"                       # or "websockets"

    [[instrument]]
    symbol = "BTC-USD"
    tick = "0.01"
    lot = "1e-8"

The environment has the last word: ``TICKFORGE_PROVIDERS=polygon,alpaca``, ``TICKFORGE_SYMBOLS``,
``TICKFORGE_TRANSPORT`` and, for each provider and table, ``TICKFORGE_ALPACA_SIP_KEY`` and the like (dashes are
underscores there). Where neither the file nor those tell a key, the providers' own variables do (``CREDENTIALS``).
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

from engine.core.broker_config import Broker, Trading, read_trading
from engine.core.instruments import Instruments
from engine.core.settings import MASK, SettingReader, listed, masked_url
from engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CREDENTIALS", "MASK", "Config", "Market", "Provider", "masked_url", "missing_credentials", "no_provider"]

_SECRET: Final = frozenset({"key", "secret"})
_SETTINGS: Final = ("name", "url", "key", "secret", "feed", "codec", "channels", "symbol_limit")  # in this order
_URL: Final = re.compile(r"(ws|wss|udp)://[^/]")

#: The variables in which providers' own tools look for credentials: field -> names, first one first.
CREDENTIALS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "polygon": {"key": ("POLYGON_API_KEY", "MASSIVE_API_KEY")},
    "alpaca": {"key": ("APCA_API_KEY_ID", "ALPACA_API_KEY"), "secret": ("APCA_API_SECRET_KEY", "ALPACA_SECRET_KEY")},
    "finnhub": {"key": ("FINNHUB_API_KEY",)},
    "iex": {},
    "schwab": {},
}
_PREFIX: Final = "TICKFORGE_"
_TABLES: Final = ("providers", "provider", "market", "instrument", "brokers", "broker", "trading", "limits")
_OTHERS: Final = frozenset({"TICKFORGE_BUILD", "TICKFORGE_CPU", "TICKFORGE_DATA", "TICKFORGE_BENCH_PEERS"})  # not ours

Transport = Literal["picows", "websockets"]
Codec = Literal["json", "msgpack"]


def no_provider(name: object, allowed: Iterable[str] = CREDENTIALS, what: str = "provider") -> ConfigError:
    """The error of a provider that there is not, or no longer; the caller raises it."""
    if name == "iex_cloud":
        return ConfigError(
            f"{what} is 'iex_cloud'; IEX Cloud was shut down on 2024-08-31. The exchange itself goes on: use 'iex' "
            '(TOPS and DEEP over UDP, url = "udp://host:port")'
        )
    return ConfigError(f"{what} is {name!r}; expected one of {', '.join(allowed)}")


@dataclass(frozen=True, slots=True, repr=False)
class Provider:
    """One provider to connect to; None and empty mean the provider's usual.

    Args:
        name: "polygon", "alpaca", "finnhub", "iex", "schwab".
        url: where it is; "ws://", "wss://" or, for IEX, "udp://host:port". A URL without a path gets the feed's.
        key, secret: credentials. Never in ``repr``, logs or errors.
        feed: which of the provider's feeds: Alpaca "iex", "sip", "delayed_sip", "test", "crypto"; Polygon a host stem
            such as "socket" or "delayed"; IEX "tops" or "deep".
        codec: Alpaca's frames: "msgpack" or "json".
        channels: what to subscribe to, in the words of ``engine.feeds.protocol.CHANNELS``.
        symbol_limit: most symbols on the connection; the rest is refused here, before the provider does.
        line: name of the connection where one provider has several; "alpaca-sip" and the like by default.

    Raises:
        ConfigError: there is no such provider, or a value is none of its kind.
    """

    name: str
    url: str | None = None
    key: str | None = None
    secret: str | None = None
    feed: str | None = None
    codec: Codec | None = None
    channels: tuple[str, ...] = ()
    symbol_limit: int | None = None
    line: str | None = None

    def __post_init__(self) -> None:
        if self.name not in CREDENTIALS:
            raise no_provider(self.name)
        read = SettingReader(f"{self.name}: ")
        for name in ("url", "key", "secret", "feed", "line"):
            if getattr(self, name) is not None:
                read.text(name, getattr(self, name))
        if self.codec is not None:
            read.choice("codec", self.codec, get_args(Codec))
        if self.symbol_limit is not None:
            read.whole("symbol_limit", self.symbol_limit, 1)
        given = self.channels
        object.__setattr__(self, "channels", read.texts("channels", list(given) if isinstance(given, tuple) else given))

    def __repr__(self) -> str:
        """The settings that are not the usual ones, secrets masked."""
        shown = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value in {None, ()}:
                continue
            if one.name in _SECRET:
                value = MASK
            elif one.name == "url":
                value = masked_url(value)
            shown.append(f"{one.name}={value!r}")
        return f"Provider({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class Market:
    """How to listen.

    Args:
        symbols: what to subscribe to at once.
        transport: what receives WebSocket frames.
        busy_poll: never sleep while waiting for frames: a core for some microseconds.
        seed: of the jitter of reconnects; None draws one.

    Raises:
        ConfigError: there is no such transport.
    """

    symbols: tuple[str, ...] = ()
    transport: Transport = "picows"
    busy_poll: bool = False
    seed: int | None = None

    def __post_init__(self) -> None:
        SettingReader("").choice("transport", self.transport, get_args(Transport))


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a user sets. Secrets are masked wherever it is shown.

    Args:
        providers: whom to connect to; the order is the order of preference among equals.
        market: how to listen.
        instruments: rows for ``engine.Instruments``: symbols whose tick, lot or zone are not the usual ones.
        known: further providers that can be named (see ``provider``), by line name.
        brokers: whom to trade with, in order of preference; none means the paper broker.
        trading: journal and limits (see ``engine.core.broker_config``).
    """

    providers: tuple[Provider, ...] = ()
    market: Market = Market()
    instruments: tuple[Mapping[str, Any], ...] = ()
    known: Mapping[str, Provider] = field(default_factory=dict)
    brokers: tuple[Broker, ...] = ()
    trading: Trading = field(default_factory=Trading)

    @classmethod
    def load(cls, path: str | os.PathLike[str], environment: Mapping[str, str] | None = None) -> Self:
        """Reads a TOML file (see the module), and the environment.

        Args:
            path: the file.
            environment: the variables; those of the process if None.

        Raises:
            ConfigError: the file cannot be read, is no TOML, or something in it is wrong; the message names file, key,
                value and what was expected.
        """
        name = os.fspath(path)
        try:
            with open(path, "rb") as file:
                document = tomllib.load(file)
        except OSError as error:
            raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{name}: no TOML: {error}") from None
        return cls._read(document, f"{name}: ", os.environ if environment is None else environment)

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Reads the environment alone (see the module).

        Without ``TICKFORGE_PROVIDERS``, every provider whose key is there.

        Raises:
            ConfigError: a variable is wrong; the message names it, its value and what was expected.
        """
        return cls._read({}, "", os.environ if environment is None else environment)

    @classmethod
    def _read(cls, document: Mapping[str, Any], where: str, environment: Mapping[str, str]) -> Self:
        read, variables = SettingReader(where), SettingReader("")
        read.keys("", document, _TABLES)
        tables = read.tables("provider", document.get("provider", {}))
        known = {line: _provider(read, line, table, environment) for line, table in tables.items()}
        for line, values in _overrides(environment, tables).items():
            base = known.get(line) or Provider(line)
            known[line] = replace(base, **{key: _setting(variables, *one) for key, one in values.items()})
        for line in CREDENTIALS:
            known[line] = _with_credentials(known.get(line) or Provider(line), environment)
        for line, one in known.items():  # several lines of one provider share its key
            plain = known[one.name]
            known[line] = replace(one, key=one.key or plain.key, secret=one.secret or plain.secret)
        market = _market(read, variables, document.get("market", {}), environment)
        rows = tuple(_instruments(read, document.get("instrument", [])))
        brokers, trading = read_trading(read, document)
        found = cls(market=market, instruments=rows, known=known, brokers=brokers, trading=trading)
        source, wanted = _wanted(read, document, tables, known, environment)
        if twice := [name for name in wanted if wanted.count(name) > 1]:
            raise ConfigError(f"{source} names {twice[0]!r} twice; expected each provider once")
        try:
            return replace(found, providers=tuple(found.provider(name) for name in wanted))
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None

    def provider(self, name: str) -> Provider:
        """The settings that go with a name: a table of the file, a provider, or "alpaca-sip" for a feed of one.

        Raises:
            ConfigError: nothing has that name.
        """
        if name in self.known:
            return self.known[name]
        base, dash, feed = name.partition("-")
        if base in CREDENTIALS and (feed or not dash):
            plain = self.known.get(base) or Provider(base)
            return replace(plain, feed=feed.replace("-", "_")) if feed else plain
        raise no_provider(name, sorted({*CREDENTIALS, *self.known}))


def missing_credentials(provider: Provider) -> str | None:
    """What to tell a person whose provider lacks its key; None where nothing is missing."""
    for name, variables in CREDENTIALS.get(provider.name, {}).items():
        if not getattr(provider, name):
            line = provider.line or provider.name
            ours = _variable(line, name)
            return (
                f"{line}: no {name}: set {ours} or {variables[0]}, or {name} in [provider.{line}] of the configuration"
            )
    return None


def _variable(line: str, name: str) -> str:
    return f"{_PREFIX}{line.upper().replace('-', '_')}_{name.upper()}"


def _with_credentials(provider: Provider, environment: Mapping[str, str]) -> Provider:
    found: dict[str, Any] = {}
    for name, variables in CREDENTIALS.get(provider.name, {}).items():
        values = [environment[variable] for variable in variables if environment.get(variable)]
        if values and getattr(provider, name) is None:
            found[name] = values[0]
    return replace(provider, **found)


def _overrides(environment: Mapping[str, str], tables: Iterable[str]) -> dict[str, dict[str, tuple[str, str, str]]]:
    """Line -> field -> (variable, field, text) of the ``TICKFORGE_<LINE>_<FIELD>`` variables.

    Raises:
        ConfigError: such a variable of no line there is, or another one that nothing reads.
    """
    lines = {line.upper().replace("-", "_"): line for line in (*CREDENTIALS, *tables)}
    names = {name.upper(): name for name in _SETTINGS if name != "name"}
    single = [f"{_PREFIX}{name.upper()}" for name in ("providers", *(one.name for one in fields(Market)))]
    found: dict[str, dict[str, tuple[str, str, str]]] = {}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or not text or variable in single or variable in _OTHERS:
            continue
        for ending, name in names.items():
            line = variable[len(_PREFIX) : -len(ending) - 1]
            if line and variable == f"{_PREFIX}{line}_{ending}":
                if line not in lines:
                    expected = ", ".join(sorted(_variable(one, name) for one in lines.values()))
                    raise ConfigError(f"{variable} is set, but there is no provider {line}; expected one of {expected}")
                found.setdefault(lines[line], {})[name] = (variable, name, text)
                break
        else:
            expected = f"{', '.join(single)}, or {_PREFIX}<PROVIDER>_ with one of {', '.join(names)}"
            raise ConfigError(f"{variable} is set, but nothing reads it; expected one of {expected}")
    return found


def _wanted(
    read: SettingReader,
    document: Mapping[str, Any],
    tables: Mapping[str, Any],
    known: Mapping[str, Provider],
    environment: Mapping[str, str],
) -> tuple[str, list[str]]:
    """Where the names of the providers to connect to stand, and which they are."""
    if text := environment.get(variable := f"{_PREFIX}PROVIDERS"):
        return variable, listed(text)
    if "providers" in document:
        return f"{read.where}providers", list(read.texts("providers", document["providers"]))
    if tables:
        return f"{read.where}provider", list(tables)
    with_keys = [line for line, one in known.items() if CREDENTIALS.get(line) and missing_credentials(one) is None]
    return "the environment", with_keys


def _market(read: SettingReader, variables: SettingReader, table: Any, environment: Mapping[str, str]) -> Market:
    if not isinstance(table, dict):
        raise read.wrong("market", table, "a table")
    names = [one.name for one in fields(Market)]
    read.keys("market", table, names)
    values = {name: _market_setting(read, f"market.{name}", name, value) for name, value in table.items()}
    for name in names:
        if text := environment.get(variable := f"{_PREFIX}{name.upper()}"):
            values[name] = _market_setting(variables, variable, name, listed(text) if name == "symbols" else text)
    return Market(**values)


def _market_setting(read: SettingReader, key: str, name: str, value: Any) -> Any:
    """A field of ``Market``; ``key`` is what messages call it."""
    if name == "symbols":
        return read.texts(key, value)
    if name == "transport":
        return read.choice(key, value, get_args(Transport))
    return read.boolean(key, value) if name == "busy_poll" else read.whole(key, value)


def _provider(read: SettingReader, line: str, table: Mapping[str, Any], environment: Mapping[str, str]) -> Provider:
    """A table ``[provider.<line>]``."""
    path = f"provider.{line}"
    indirect = {"key_env": "key", "secret_env": "secret"}
    read.keys(path, table, [*_SETTINGS, *indirect])
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in indirect:
            variable = read.text(f"{path}.{key}", value)
            values[indirect[key]] = environment.get(variable)
            if not values[indirect[key]]:
                raise ConfigError(f"{read.where}{path}.{key} is {variable!r}, but that variable is not set")
        else:
            values[key] = _setting(read, f"{path}.{key}", key, value)
    name = values.pop("name", line)
    base, _, feed = name.partition("-")
    if name == line and base in CREDENTIALS and feed:
        return Provider(base, **{"feed": feed.replace("-", "_"), **values}, line=line)
    if name not in CREDENTIALS:
        raise no_provider(name, what=f"{read.where}{path}.name")
    return Provider(name, **values, line=None if line == name else line)


def _setting(read: SettingReader, key: str, name: str, value: Any) -> Any:
    """A field of ``Provider``; ``key`` is what messages call it."""
    if name == "channels":
        return read.texts(key, listed(value) if isinstance(value, str) else value)
    if name == "symbol_limit":
        return read.whole(key, value, 1)
    if name == "codec":
        return read.choice(key, value, get_args(Codec))
    if name == "url" and not _URL.match(str(value)):
        raise read.wrong(key, value, "a URL that starts with wss://, ws:// or udp://")
    return read.text(key, value)


def _instruments(read: SettingReader, rows: Any) -> Iterable[Mapping[str, Any]]:
    if not isinstance(rows, list):
        raise read.wrong("instrument", rows, "[[instrument]] tables")
    for number, row in enumerate(rows):
        try:
            Instruments([row])
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{read.where}instrument {number + 1}: {error}") from None
        yield row
