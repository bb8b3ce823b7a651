"""From a user's provider settings to lines: one adapter a connection."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from engine.core.config import CREDENTIALS, Config, Provider, missing_credentials
from engine.core.settings import masked_url
from engine.errors import ConfigError
from engine.feeds import alpaca, finnhub, iex, polygon
from engine.feeds.own import Feed
from engine.feeds.protocol import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.core.instruments import Instruments
    from engine.feeds.protocol import Channel, FeedProtocol

__all__ = ["PROVIDERS", "feed_protocol", "feed_protocols", "line_name", "settled"]

_SCHWAB: Final = "provider is 'schwab'; its streamer needs the broker's login, which is not here yet"
_UDP: Final = re.compile(r"udp://(?:[^/:\[\]]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


def _polygon(provider: Provider, name: str, instruments: Instruments) -> FeedProtocol:
    feed = _one_of("feed", (provider.feed or "socket").replace("_", "-"), polygon.FEEDS, provider)
    return polygon.PolygonFeed(
        cast("str", provider.key),
        instruments,
        name=name,
        feed=feed,
        url=_websocket(provider),
        channels=_channels(provider, polygon.TOPICS),
        symbol_limit=provider.symbol_limit,
    )


def _alpaca(provider: Provider, name: str, instruments: Instruments) -> FeedProtocol:
    feed = _one_of("feed", _alpaca_feed(provider), alpaca.FEEDS, provider)
    return alpaca.AlpacaFeed(
        cast("str", provider.key),
        cast("str", provider.secret),
        instruments,
        name=name,
        feed=feed,
        codec=provider.codec or "msgpack",
        url=_websocket(provider),
        channels=_channels(provider, alpaca.FEEDS[feed].channels),
        symbol_limit=provider.symbol_limit,
    )


def _alpaca_feed(provider: Provider) -> str:
    """The feed as set, or as the path of the URL says."""
    path = (provider.url or "").partition("://")[2].partition("/")[2]
    named = next((name for name, feed in alpaca.FEEDS.items() if feed.path == f"/{path.rstrip('/')}"), None)
    if provider.feed and named and provider.feed != named:
        shown = masked_url(provider.url or "")
        raise ConfigError(f"{provider.name}: feed is {provider.feed!r}, but url is {shown!r}, which is {named!r}")
    return provider.feed or named or "iex"


def _finnhub(provider: Provider, name: str, instruments: Instruments) -> FeedProtocol:
    if provider.feed is not None:
        raise ConfigError(f"{provider.name}: feed is {provider.feed!r}; expected none, there is one")
    _channels(provider, finnhub.CHANNELS)
    return finnhub.FinnhubFeed(
        cast("str", provider.key), instruments, name=name, url=_websocket(provider), symbol_limit=provider.symbol_limit
    )


def _iex(provider: Provider, name: str, instruments: Instruments) -> FeedProtocol:
    feed = _one_of("feed", provider.feed or "deep", iex.FEEDS, provider)
    if provider.url is None or not _UDP.fullmatch(provider.url):
        shown = None if provider.url is None else masked_url(provider.url)
        raise ConfigError(
            f"{provider.name}: url is {shown!r}; expected udp://host:port, where the exchange's datagrams come to"
        )
    _channels(provider, ("trades", "quotes", "book", "statuses"))
    return iex.IexFeed(provider.url, instruments, name=name, feed=feed)


#: Provider -> (its usual feed, the maker of its line).
PROVIDERS: Final[dict[str, tuple[str | None, Callable[[Provider, str, Instruments], FeedProtocol]]]] = {
    "polygon": ("socket", _polygon),
    "alpaca": ("iex", _alpaca),
    "finnhub": (None, _finnhub),
    "iex": (None, _iex),
}


def _one_of(what: str, value: str, allowed: Iterable[str], provider: Provider) -> str:
    if value not in (names := list(allowed)):
        raise ConfigError(f"{provider.name}: {what} is {value!r}; expected one of {', '.join(names)}")
    return value


def _websocket(provider: Provider) -> str | None:
    if provider.url is not None and not re.match(r"wss?://[^/?#]", provider.url):
        shown = masked_url(provider.url)
        raise ConfigError(f"{provider.name}: url is {shown!r}; expected a URL that starts with wss:// or ws://")
    return provider.url


def _channels(provider: Provider, allowed: Iterable[str]) -> tuple[Channel, ...]:
    names = set(allowed)
    for channel in provider.channels:
        _one_of("channel", channel, [name for name in CHANNELS if name in names], provider)
    return tuple(name for name in CHANNELS if name in provider.channels)


def line_name(provider: Provider) -> str:
    """What people call a line: as set, else the provider's name, with the feed where it is not the usual one."""
    if provider.line:
        return provider.line
    usual = PROVIDERS[provider.name][0] if provider.name in PROVIDERS else None
    feed = _alpaca_feed(provider) if provider.name == "alpaca" else provider.feed
    return provider.name if feed in {None, usual} else f"{provider.name}-{feed}"


def feed_protocol(provider: Provider | str, instruments: Instruments) -> FeedProtocol:
    """The adapter of one connection, as set.

    Raises:
        ConfigError: an unknown provider, feed or channel, a missing key, or a URL of the wrong kind; the message names
            the value and what was expected, and never a secret.
    """
    provider = Provider(provider) if isinstance(provider, str) else provider
    if provider.name not in PROVIDERS:
        raise ConfigError(_SCHWAB)
    if (missing := missing_credentials(provider)) is not None:
        raise ConfigError(missing)
    _, make = PROVIDERS[provider.name]
    return make(provider, line_name(provider), instruments)


def feed_protocols(providers: Iterable[Provider | str], instruments: Instruments) -> list[FeedProtocol]:
    """One adapter for each provider, in order.

    Raises:
        ConfigError: see ``feed_protocol``; or two lines of one name.
    """
    lines: dict[str, FeedProtocol] = {}
    for provider in providers:
        line = feed_protocol(provider, instruments)
        if line.name in lines:
            raise ConfigError(f"line {line.name!r} is there twice; give one of them another name (line=...)")
        lines[line.name] = line
    return list(lines.values())


def settled(
    config: Config | str | Provider | Feed | Iterable[str | Provider | Feed] | None,
    providers: Iterable[str | Provider | Feed] | None,
) -> tuple[Config, list[Provider | Feed]]:
    """The configuration, and whom to connect to in it. The environment is read where names need it.

    Raises:
        ConfigError: nobody to connect to, somebody who is not known, or a mistake in the environment.
    """
    if config is not None and not isinstance(config, Config):
        if providers is not None:
            raise ConfigError(f"config is {config!r}; expected an engine.Config before the providers")
        providers, config = _several(config), None
    found = None if providers is None else list(_several(providers))
    if config is None:
        plain = found is not None and not any(isinstance(one, str) for one in found)
        config = Config() if plain else Config.from_env()
    if found is None:
        if not config.providers:
            raise ConfigError(f"no provider: name some, or set {_variables()}; [] is for data that is pushed alone")
        return config, list(config.providers)
    settled: list[Provider | Feed] = []
    for one in found:
        if isinstance(one, str):
            settled.append(config.provider(one))
        elif isinstance(one, Provider | Feed):
            settled.append(one)
        else:
            raise ConfigError(f"provider is {one!r}; expected a name, an engine.Provider or an engine.Feed")
    return config, settled


def _variables() -> str:
    return ", ".join(names[0] for needs in CREDENTIALS.values() for names in needs.values())


def _several(providers: Any) -> Iterable[str | Provider | Feed]:
    return [providers] if isinstance(providers, str | Provider | Feed) else providers
