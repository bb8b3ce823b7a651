"""Sockets: WebSocket clients on two libraries, and UDP, behind one small seam.

``connect`` returns at once with a ``Link``; its ``Handler`` is then told ``opened``, frames, pongs and, exactly once
and last, ``closed`` (unless the link was closed by us: then nothing more comes). Certificates are verified with the
system's authorities. Proxies are taken from the environment (``https_proxy``, ``no_proxy``, ...), as urllib understands
it. Compression is not offered: it costs the receiver more time than the line saves.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import struct
import urllib.request
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

from engine.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from engine._native.pump import Gate

__all__ = ["FRAME_MAX", "Handler", "Kind", "Link", "connect", "proxy_for"]

FRAME_MAX: Final = 16 * 2**20  #: bytes of the largest message taken; a larger one ends the connection with 1009
_RECEIVE_BUFFER: Final = 8 * 2**20  #: asked of the kernel for datagrams, which nobody sends again
_SO_BUSY_POLL: Final = 46  # of Linux: microseconds the kernel polls the card before it sleeps
_TURNS: Final = 100  # of the loop, for a transport to see that its socket was shut down
_CLOSE_WAIT: Final = 1.0  #: seconds for the other side's close frame before the connection is cut

#: The libraries log whole requests, and with them keys, where debugging is on: they log nowhere.
_SILENT: Final = logging.Logger("silent", logging.CRITICAL + 1)

_SECRET_LENGTH: Final = 4  # shorter ones are no secrets, and hiding them would garble words

Kind = Literal["picows", "websockets"]


class Handler(Protocol):
    """Who is told what happens on a link."""

    def opened(self) -> None:
        """The link is up; ``Link.send`` may be called."""

    def frame(self, data: memoryview | bytes, last: bool = False) -> None:
        """One whole message or datagram. ``data`` may lie in the library's buffer: it is gone after this call."""

    def pong(self) -> None:
        """The answer to a ping."""

    def closed(self, code: int | None, reason: str) -> None:
        """The link is down or did not come up. ``code``: of the close frame, HTTP status of a refused handshake."""


class Link(Protocol):
    """One connection, or the attempt at one."""

    def send(self, data: bytes | str) -> None:
        """Queues a message: ``str`` as text, ``bytes`` as binary; nothing where the link is not up."""

    def ping(self) -> None:
        """Sends a ping; nothing where the link is not up or knows no pings."""

    def close(self, code: int, reason: str) -> None:
        """Ends it; the handler is told nothing more."""

    async def wait_closed(self) -> None:
        """Returns when its socket and tasks are gone."""

    @property
    def address(self) -> tuple[str, int] | None:
        """Our end, as (host, port); None where the link is not up."""


def connect(
    url: str,
    headers: Mapping[str, str],
    handler: Handler,
    *,
    kind: Kind = "picows",
    ssl_context: ssl.SSLContext | None = None,
    busy_poll: bool = False,
) -> Link:
    """Starts a connection to ``ws://``, ``wss://`` or ``udp://``.

    For UDP, host and port are where to listen; a multicast host is joined, on ``?interface=<our address>`` if given.

    Raises:
        ConfigError: another scheme, or a UDP address without a port.
    """
    scheme = urlsplit(url).scheme
    if scheme == "udp":
        return _Datagrams(url, handler)
    if scheme not in {"ws", "wss"}:
        raise ConfigError(f"scheme of the address is {scheme!r}; expected ws, wss or udp")
    if kind == "picows":
        return _Picows(url, headers, handler, ssl_context, busy_poll=busy_poll)
    return _Websockets(url, headers, handler, ssl_context, busy_poll=busy_poll)


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for a WebSocket address; None for a direct connection."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("https" if parts.scheme == "wss" else "http")


def _told(error: BaseException, url: str = "", headers: Mapping[str, str] | None = None) -> str:
    """An error as text for people: its class and words, on one line, without what may be secret in URL and headers."""
    if isinstance(error, TimeoutError):
        return "timed out"
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error)
    parts = urlsplit(url)
    values = [value for found in parse_qs(parts.query).values() for value in found]
    for secret in (url, parts.query, parts.password, *values, *(headers or {}).values()):
        if secret and len(secret) >= _SECRET_LENGTH:
            text = text.replace(secret, "***")
    return f"{type(error).__name__}: {' '.join(text.split())}"[:200]


class _WebSocket:
    """What both libraries share: one task for the connection, and a handler that is told once."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        handler: Handler,
        ssl_context: ssl.SSLContext | None,
        *,
        busy_poll: bool,
    ) -> None:
        self._url, self._headers, self._handler = url, dict(headers), handler
        self._ssl_context, self._busy_poll = ssl_context, busy_poll
        self._over = False
        self._closing: tuple[int, str] | None = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        raise NotImplementedError

    def _words(self, error: BaseException) -> str:
        return _told(error, self._url, self._headers)

    def _tell_closed(self, code: int | None, reason: str) -> None:
        if not self._over:
            self._over = True
            self._handler.closed(code, reason)

    def _tune(self, found: socket.socket | None) -> None:
        if found is None:
            return
        with contextlib.suppress(OSError):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._busy_poll:
            with contextlib.suppress(OSError):  # needs a kernel and a right that not everyone has
                found.setsockopt(socket.SOL_SOCKET, _SO_BUSY_POLL, 50)

    async def wait_closed(self) -> None:
        await asyncio.wait([self._task])


class _Picows(_WebSocket):
    """On picows: frames are handed over where they lie."""

    _transport: Any = None
    _socket: socket.socket | None = None
    _gate: Gate | None = None

    async def _run(self) -> None:
        import picows

        factory = functools.partial(_listener_class(), self)
        try:
            self._transport, _ = await picows.ws_connect(
                factory,
                self._url,
                ssl_context=self._ssl_context,
                extra_headers=self._headers,
                max_frame_size=FRAME_MAX,
                websocket_handshake_timeout=None,  # Lines has a limit of its own
                max_redirects=0,
                proxy=proxy_for(self._url),
                logger_name=_SILENT,
                socket_factory=self._dial,
            )
        except asyncio.CancelledError:
            self._over = True
            await self._hang_up()
            return
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status", None)
            code = int(status) if status is not None else None
            self._tell_closed(code, f"handshake refused with {code}" if code else self._words(error))
            return
        with contextlib.suppress(Exception):
            await self._transport.wait_disconnected()

    async def _dial(self, url: Any) -> socket.socket:
        """A connected socket. Ours, because picows leaves it open where an attempt is cancelled in the handshake."""
        loop = asyncio.get_running_loop()
        error = OSError(f"no address of {url.host}")
        for family, kind, protocol, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
            made = socket.socket(family, kind, protocol)
            try:
                made.setblocking(False)
                await loop.sock_connect(made, address)
            except OSError as failed:
                made.close()
                error = failed
            except BaseException:
                made.close()
                raise
            else:
                self._socket = made
                return made
        raise error

    async def _hang_up(self) -> None:
        """Ends an attempt whose socket somebody else reads: that one sees the end, and closes it."""
        if self._socket is None:
            return
        with contextlib.suppress(OSError):  # it is closed already
            self._socket.shutdown(socket.SHUT_RDWR)
        for _ in range(_TURNS):
            if self._socket.fileno() < 0:
                return
            await asyncio.sleep(0)

    def disconnected(self, transport: Any) -> None:
        """Called by the listener."""
        handshake = transport.close_handshake
        received = handshake.recv if handshake is not None else None
        if received is None:
            self._tell_closed(None, "connection lost")
        else:
            code = getattr(received.code, "value", received.code)
            self._tell_closed(int(code) or 1005, str(received.reason or ""))

    def send(self, data: bytes | str) -> None:
        if self._transport is not None and not self._over:
            import picows

            if isinstance(data, str):
                self._transport.send(picows.WSMsgType.TEXT, data.encode())
            else:
                self._transport.send(picows.WSMsgType.BINARY, data)

    def ping(self) -> None:
        if self._transport is not None and not self._over:
            self._transport.send_ping()

    def close(self, code: int, reason: str) -> None:
        self._over = True
        if self._gate is not None:
            self._gate.straight = False
        transport = self._transport
        if transport is None:
            self._task.cancel()
            return
        import picows

        transport.send_close(picows.WSCloseCode(code) if code in _PICOWS_CODES else code, reason.encode())
        asyncio.get_running_loop().call_later(_CLOSE_WAIT, transport.disconnect, False)

    @property
    def address(self) -> tuple[str, int] | None:
        if self._transport is None:
            return None
        found = self._transport.underlying_transport.get_extra_info("sockname")
        return (found[0], found[1]) if found else None


_PICOWS_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011})


@functools.cache
def _listener_class() -> type:
    """The listener, made on first use: picows is imported only where it is used.

    Whole messages never come to its own ``on_ws_frame``: a ``Gate`` before it hands them to the handler.
    """
    import picows

    from engine._native.pump import Gate

    data = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY)
    more = picows.WSMsgType.CONTINUATION
    close, pong = picows.WSMsgType.CLOSE, picows.WSMsgType.PONG

    class Listener(picows.WSListener):
        """Tells a link what happens."""

        def __init__(self, link: _Picows) -> None:
            self.link = link
            self.handler = link._handler
            self.parts: list[bytes] = []
            self.size = 0
            self.refused = False
            link._gate = self.gate = Gate(link._handler.frame, self.other, data, FRAME_MAX)
            self.on_ws_frame = self.gate.on_ws_frame  # type: ignore[method-assign]

        def on_ws_connected(self, transport: Any) -> None:
            self.link._transport = transport
            self.link._tune(transport.underlying_transport.get_extra_info("socket"))
            if not self.link._over:
                self.handler.opened()

        def other(self, transport: Any, frame: Any) -> None:
            """What does not go straight to the handler."""
            kind = frame.msg_type
            if self.link._over or self.refused:
                if kind == close:
                    transport.disconnect()
            elif kind == more or (kind in data and (self.parts or not frame.fin)):
                self.fragment(transport, frame)
            elif kind == pong:
                self.handler.pong()
            elif kind == close:
                transport.send_close(frame.get_close_code() or picows.WSCloseCode.OK)
                transport.disconnect()

        def fragment(self, transport: Any, frame: Any) -> None:
            """Collects a message that comes in several frames; nothing but control frames may come between them."""
            if (frame.msg_type == more) is not bool(self.parts):
                self.refuse(transport, picows.WSCloseCode.PROTOCOL_ERROR)
                return
            self.gate.straight = False
            self.parts.append(frame.get_payload_as_bytes())
            self.size += len(self.parts[-1])
            if self.size > FRAME_MAX:
                self.refuse(transport, picows.WSCloseCode.MESSAGE_TOO_BIG)
            elif frame.fin:
                whole, self.parts, self.size = b"".join(self.parts), [], 0
                self.gate.straight = True
                self.handler.frame(whole)

        def refuse(self, transport: Any, code: Any) -> None:
            """Ends the connection; what is in the buffer already is not heard."""
            self.gate.straight, self.parts, self.refused = False, [], True
            transport.send_close(code)
            transport.disconnect()

        def on_ws_disconnected(self, transport: Any) -> None:
            self.link.disconnected(transport)

    return Listener


class _Websockets(_WebSocket):
    """On websockets: slower, and everywhere."""

    _connection: Any = None

    async def _run(self) -> None:
        from websockets.asyncio.client import connect as open_connection
        from websockets.exceptions import InvalidStatus

        self._sends: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        extra: dict[str, Any] = {} if self._ssl_context is None else {"ssl": self._ssl_context}
        try:
            connection = await open_connection(
                self._url,
                additional_headers=self._headers,
                compression=None,
                max_size=FRAME_MAX,
                open_timeout=None,
                ping_interval=None,
                close_timeout=_CLOSE_WAIT,
                logger=_SILENT,
                proxy=proxy_for(self._url),
                create_connection=_connection_class(),
                **extra,
            )
        except asyncio.CancelledError:
            self._over = True
            return
        except InvalidStatus as error:
            code = error.response.status_code
            self._tell_closed(code, f"handshake refused with {code}")
            return
        except Exception as error:
            self._tell_closed(None, self._words(error))
            return
        await self._serve(connection)

    async def _serve(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        self._connection = connection
        self._tune(connection.transport.get_extra_info("socket"))
        sender = asyncio.get_running_loop().create_task(self._send_all(connection))
        try:
            if not self._over:
                self._handler.opened()
            while True:
                data = await connection.recv(decode=False)
                if not self._over:
                    self._handler.frame(data)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                self._tell_closed(None, "connection lost")
            else:
                self._tell_closed(closed.rcvd.code, closed.rcvd.reason)
        finally:
            sender.cancel()
            await asyncio.wait([sender])
            await connection.close()

    async def _send_all(self, connection: Any) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                kind, data = await self._sends.get()
                if kind == "send":
                    await connection.send(data)
                elif kind == "ping":
                    waiter = await connection.ping()
                    waiter.add_done_callback(self._ponged)
                else:
                    await connection.close(*data)

    def _ponged(self, waiter: Any) -> None:
        if not waiter.cancelled() and waiter.exception() is None and not self._over:
            self._handler.pong()

    def send(self, data: bytes | str) -> None:
        if self._connection is not None and not self._over:
            self._sends.put_nowait(("send", data))

    def ping(self) -> None:
        if self._connection is not None and not self._over:
            self._sends.put_nowait(("ping", None))

    def close(self, code: int, reason: str) -> None:
        self._over = True
        if self._connection is None:
            self._task.cancel()
        else:
            self._sends.put_nowait(("close", (code, reason)))

    @property
    def address(self) -> tuple[str, int] | None:
        if self._connection is None:
            return None
        found = self._connection.local_address
        return (found[0], found[1]) if found else None


@functools.cache
def _connection_class() -> Any:
    """The connection, which does not wait for ever for a server that said or was told good-bye to end it."""
    from websockets.asyncio.client import ClientConnection
    from websockets.protocol import State

    class Connection(ClientConnection):
        """Cut when it has been closing for a while."""

        _cut: asyncio.TimerHandle | None = None

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._cut is None and self.protocol.state is State.CLOSING:
                self._cut = self.loop.call_later(_CLOSE_WAIT, self.transport.abort)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._cut is not None:
                self._cut.cancel()
            super().connection_lost(exc)

    return Connection


class _Datagrams(asyncio.DatagramProtocol):
    """UDP, unicast or multicast: one datagram is one frame."""

    def __init__(self, url: str, handler: Handler) -> None:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port is None:
            raise ConfigError("address of a UDP line lacks host or port; expected udp://host:port")
        self._host, self._port, self._handler = parts.hostname, parts.port, handler
        self._interface = parse_qs(parts.query).get("interface", ["0.0.0.0"])[0]
        self._over = False
        self._transport: Any = None
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            found = self._bound()
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=found)
        except asyncio.CancelledError:
            self._over = True
        except OSError as error:
            self._tell_closed(_told(error))
        except ValueError as error:
            self._tell_closed(f"address {self._host}: {error}")

    def _bound(self) -> socket.socket:
        address = ip_address("127.0.0.1" if self._host == "localhost" else self._host)
        family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
        found = socket.socket(family, socket.SOCK_DGRAM)
        try:
            found.setblocking(False)
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            if address.is_multicast:
                found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((str(address), self._port))
            if address.is_multicast and address.version == 4:
                group = socket.inet_aton(str(address)) + socket.inet_aton(self._interface)
                found.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            elif address.is_multicast:
                index = int(self._interface) if self._interface.isdigit() else 0
                group = address.packed + struct.pack("@I", index)
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
        except BaseException:
            found.close()
            raise
        return found

    def _tell_closed(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._handler.closed(None, reason)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        if self._over:
            transport.abort()
        else:
            self._handler.opened()

    def datagram_received(self, data: bytes, _address: Any) -> None:
        if not self._over:
            self._handler.frame(data)

    def error_received(self, error: Exception) -> None:
        """An ICMP answer to nothing we sent: no concern of a listener."""

    def connection_lost(self, error: Exception | None) -> None:
        self._tell_closed(_told(error) if error else "socket closed")

    def send(self, data: bytes | str) -> None:
        """Nothing is sent to a multicast feed."""

    def ping(self) -> None:
        """Datagrams know no pings."""

    def close(self, _code: int, _reason: str) -> None:
        self._over = True
        if self._transport is not None:
            self._transport.abort()
        else:
            self._task.cancel()

    async def wait_closed(self) -> None:
        await asyncio.wait([self._task])

    @property
    def address(self) -> tuple[str, int] | None:
        found = None if self._transport is None else self._transport.get_extra_info("sockname")
        return (found[0], found[1]) if found else None
