"""Charles Schwab's streamer, after its login: what its frames say. The login itself comes with the broker.

One frame is an object with one envelope: ``data`` (LEVELONE_EQUITIES, NYSE_BOOK, NASDAQ_BOOK become events natively),
``response`` to a command, or ``notify``. One connection a user: a second one is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from engine._native.wire import FrameDecoder
from engine.core.feed_messages import text
from engine.errors import ConfigError, EngineError, SessionLost, Throttled, VenueError
from engine.feeds.conversation import Conversation
from engine.feeds.protocol import Channel, Heartbeat, LineFacts, Retry
from engine.feeds.symbology import from_wire, to_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.core.instruments import Instruments
    from engine.feeds.protocol import LineDecoder

__all__ = ["CODES", "SERVICES", "SchwabFeed"]

_SECOND: Final = 1_000_000_000
#: Service -> the channel it carries.
SERVICES: Final[dict[str, Channel]] = {"LEVELONE_EQUITIES": "quotes", "NYSE_BOOK": "book", "NASDAQ_BOOK": "book"}

_Rule = tuple["Callable[[str], EngineError]", "Retry", bool]


def _throttled(said: str) -> EngineError:
    return Throttled(said, 12, 60 * _SECOND)


#: Response code -> (error, when to try again, whether the connection ends). 0 and 26 to 29 are successes.
CODES: Final[dict[int, _Rule]] = {
    3: (ConfigError, "never", True),  # login denied
    9: (VenueError, "usual", False),  # unknown failure
    11: (VenueError, "usual", False),  # service not available
    12: (_throttled, "slow", True),  # close connection: one a user
    19: (ConfigError, "never", False),  # symbol limit
    20: (SessionLost, "usual", True),  # connection not found
    21: (VenueError, "never", False),  # bad command format
    22: (VenueError, "usual", False),  # SUBS failed
    23: (VenueError, "usual", False),  # UNSUBS failed
    24: (VenueError, "usual", False),  # ADD failed
    25: (VenueError, "usual", False),  # VIEW failed
    30: (SessionLost, "usual", True),  # stop streaming: no subscriptions, slow, or an administrator
}
_SUCCESSES: Final = frozenset({0, 26, 27, 28, 29})


class SchwabFeed(Conversation):
    """A streamer connection that is logged in already (``engine.feeds.protocol.FeedProtocol``).

    It sends nothing: whoever logged in subscribes, and tells ``subscribe`` which symbols come.

    Args:
        instruments: where symbols get their ids.
        name: the line's name.
        url: of the streamer, as the user's preferences give it.
        decoder: for tests.
    """

    def __init__(
        self, instruments: Instruments, *, name: str = "schwab", url: str = "wss://", decoder: LineDecoder | None = None
    ) -> None:
        super().__init__(
            name,
            "schwab",
            url=url,
            facts=LineFacts(
                role="montage",
                channels=("quotes", "book"),
                connection_limit="refuses_newer",
                ping_every=20 * _SECOND,
                silent_after=60 * _SECOND,
                confirms=False,
            ),
            decoder=decoder or FrameDecoder("schwab", provider="schwab"),
            instruments=instruments,
            wire=lambda symbol: to_wire("schwab", symbol),
            house=lambda wire: from_wire("schwab", wire),
        )

    def receive_other(self, messages: Sequence[bytes], now: int) -> None:
        """Responses and notifications: whole frames, or the objects in their lists."""
        for message in messages:
            try:
                value = orjson.loads(message)
                if not isinstance(value, dict):
                    raise TypeError(value)
                known = [self._answers(value.get("response")), self._notes(value.get("notify")), self._single(value)]
                if not any(known):
                    raise ValueError(value)
            except (ValueError, TypeError, KeyError):
                self.unexpected(message)

    def _single(self, value: dict[str, Any]) -> bool:
        if "heartbeat" in value:
            return self._notes([value])
        return self._answers([value]) if "content" in value and "command" in value else False

    def _notes(self, notes: list[dict[str, Any]] | None) -> bool:
        for note in notes or ():
            if "heartbeat" in note:
                self.counts["heartbeat"] += 1
                self.tell(Heartbeat())
            else:
                self._answers([note])
        return bool(notes)

    def _answers(self, answers: list[dict[str, Any]] | None) -> bool:
        for answer in answers or ():
            content = answer["content"]
            code, said = content["code"], self.say(text(content.get("msg")))
            what = self.say(f"{text(answer.get('service'))} {text(answer.get('command'))}".strip())
            self.counts["response"] += 1
            if code in _SUCCESSES:
                continue
            error, retry, close = CODES.get(code, (VenueError, "usual", False))
            after = 60 * _SECOND if retry == "slow" else 0
            self.refuse(error(f"{self.name}: {what}: {said} (code {code})"), retry, close=close, after=after)
        return bool(answers)
