"""A `Simulator` on real sockets: WebSocket servers and UDP senders on loopback, driven by the machine's clock.

This shell decides nothing: it carries bytes, keeps the time, and drops clients whose buffers are full the way their
provider does. Plain HTTP GET on a WebSocket port goes to the provider's REST answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from engine.errors import ConfigError
from engine.sim.market import NEVER
from engine.sim.providers.protocol import Refused
from engine.sim.simulator import default_path, provider_of
from engine.sim.truth_log import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request as HandshakeRequest
    from websockets.http11 import Response

    from engine.sim.simulator import Simulator
    from engine.sim.truth_log import Closed

__all__ = ["BUFFER_FRAMES", "CONNECTIONS_MAX", "SocketServer"]

BUFFER_FRAMES: Final = 4_096  #: frames that may wait for one client; with one more it is a slow reader
CONNECTIONS_MAX: Final = 256  #: of all lines together; more are refused with HTTP 503
MESSAGE_BYTES_MAX: Final = 1 << 20  #: of a client's message
LAG_STEP: Final = 250_000_000  #: ns the simulation may be behind the clock before it gives up catching up
WORK_NS: Final = 5_000_000  #: ns of work before the others of the loop have a turn
_STEP: Final = 0.001  # the shortest wait of the clock, s
_LAST_WORDS: Final = 1.0  # how long a slow reader may take to read why it is dropped, s
_LOOK: Final = 0.05  # how often is looked for UDP listeners, s


class _Client:
    """One accepted WebSocket connection and what waits to be sent on it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.waiting: asyncio.Queue[Frame | Closed] = asyncio.Queue()
        self.connection: ServerConnection | None = None


class SocketServer:
    """Serves every line of a simulator, each on a port of its own.

    Args:
        simulator: what happens.
        ports: line -> port; 0 (the default) takes a free one. Of a line of datagrams it is the port they are sent to.
        host: where; loopback.
        clock: ns since epoch.
    """

    def __init__(
        self,
        simulator: Simulator,
        ports: Mapping[str, int] | None = None,
        *,
        host: str = "127.0.0.1",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.simulator = simulator
        self.urls: dict[str, str] = {}  #: line -> "ws://..." or "udp://..."; after `open`
        self.rest_urls: dict[str, str] = {}  #: line -> "http://..." where the provider's REST is served
        self._host = host
        self._ports = dict(ports or {})
        self._clock = clock
        self._servers: list[Server] = []
        self._clients: dict[int, _Client] = {}
        self._senders: list[_Sender] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.time = simulator.market.start  #: of the simulation, ns since epoch: the clock's less ``lag``
        self.lag = 0  #: how far the simulation stays behind, ns; it grows where the machine is too slow for it

    async def open(self) -> None:
        """Listens.

        Raises:
            ConfigError: a port that cannot be had.
        """
        for line in self.simulator.lines:
            try:
                await self._open_line(line, self._ports.get(line, 0))
            except (OSError, OverflowError) as error:
                await self.close()
                raise ConfigError(f"{line}: port {self._ports.get(line, 0)} cannot be had: {error}") from error
        self._tick()
        if self._senders:
            self._tasks.append(asyncio.create_task(self._look_for_listeners()))

    async def close(self) -> None:
        """Ends every connection and task; may be called again."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        for server in self._servers:
            server.close()
        for server in self._servers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(server.wait_closed(), 2)
        self._servers.clear()
        for sender in self._senders:
            sender.close()
        self._senders.clear()

    async def _open_line(self, line: str, port: int) -> None:
        if provider_of(line) == "iex":
            sender = await _Sender.open(line, self._host, port or _free_udp_port(self._host))
            self._senders.append(sender)
            self.urls[line] = f"udp://{self._host}:{sender.port}"
            return
        from websockets.asyncio.server import serve

        async def process(connection: ServerConnection, request: HandshakeRequest) -> Response | None:
            return self._handshake(line, connection, request)

        server = await serve(
            self._talk,
            self._host,
            port,
            process_request=process,
            compression="deflate" if provider_of(line) == "alpaca" else None,
            max_size=MESSAGE_BYTES_MAX,
            ping_interval=20,
            ping_timeout=None,
            close_timeout=1,
            logger=_quiet(),
        )
        self._servers.append(server)
        number = next(iter(server.sockets)).getsockname()[1]
        self.urls[line] = f"ws://{self._host}:{number}{default_path(line)}"
        self.rest_urls[line] = f"http://{self._host}:{number}"

    # ---- WebSocket

    def _handshake(self, line: str, connection: ServerConnection, request: HandshakeRequest) -> Response | None:
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        now = self.time
        if headers.get("upgrade", "").lower() != "websocket":
            reply = self.simulator.rest(line, request.path, headers, now)
            return _response(connection, reply.status, reply.body, reply.headers)
        if len(self._clients) >= CONNECTIONS_MAX:
            return _response(connection, 503, "too many connections")
        number = self.simulator.connect(line, now, request.path, headers)
        if isinstance(number, Refused):
            extra = {"Retry-After": str(number.retry_after)} if number.retry_after else {}
            return _response(connection, number.status, number.reason, extra)
        connection.client_of_line = self._clients[number] = _Client(number)  # type: ignore[attr-defined]
        self._heard()
        return None

    async def _talk(self, connection: ServerConnection) -> None:
        client: _Client = connection.client_of_line  # type: ignore[attr-defined]
        client.connection = connection
        writer = asyncio.create_task(self._write(client, connection))
        from websockets.exceptions import ConnectionClosed

        try:
            while True:
                message = await connection.recv()
                self.simulator.receive(client.number, message, self.time)
                self._heard()
        except ConnectionClosed:
            pass
        finally:
            del self._clients[client.number]
            self.simulator.disconnect(client.number, self.time)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    async def _write(self, client: _Client, connection: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                item = await client.waiting.get()
                if isinstance(item, Frame):
                    await connection.send(item.data)
                elif item.code is None:
                    connection.transport.close()  # what was written goes out; no close frame does
                    return
                else:
                    await connection.close(item.code, item.reason)
                    return

    # ---- time

    def _tick(self) -> None:
        """Lets happen what is due, for a bounded time, and asks to be called again."""
        begun = now = self._clock()
        simulator = self.simulator
        target = now - self.lag
        if target - self.time > LAG_STEP:  # too much to do for this machine: time itself gives way
            self.lag += target - self.time - LAG_STEP
            target = self.time + LAG_STEP
        while (due := simulator.next_time) <= target and now - begun < WORK_NS:
            self.time = max(self.time, due)
            simulator.advance(self.time)
            self._deliver()
            now = self._clock()
        if due > target:
            self.time = max(self.time, target)
        self._sleep(soon=due <= target)

    def _sleep(self, *, soon: bool = False) -> None:
        """Until something is due, or at once, after the others of this loop had their turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.simulator.next_time
        if not self._closed and due != NEVER:
            delay = 0.0 if soon else max(_STEP, (due - self.time) / 1e9)
            self._timer = asyncio.get_running_loop().call_later(delay, self._tick)

    def _deliver(self) -> None:
        """What is on its way arrives at those who send."""
        simulator = self.simulator
        for item in simulator.take_output(self.time):
            if (client := self._clients.get(item.connection)) is not None:
                if client.waiting.qsize() >= BUFFER_FRAMES and isinstance(item, Frame):
                    self._kill_slow(client)
                else:
                    client.waiting.put_nowait(item)
            elif isinstance(item, Frame):
                for sender in self._senders:
                    sender.send(item.connection, item.data)
        for number, client in self._clients.items():
            if client.connection is not None and simulator.is_half_open(number):
                client.connection.transport.pause_reading()

    def _heard(self) -> None:
        """After something came from a client: answers, and perhaps an earlier time to wake."""
        self._deliver()
        self._sleep()

    def _kill_slow(self, client: _Client) -> None:
        """What waits is lost; the provider's last words may arrive, or not."""
        while not client.waiting.empty():
            client.waiting.get_nowait()
        self.simulator.kill_slow(client.number, self.time)
        if client.connection is not None:
            asyncio.get_running_loop().call_later(_LAST_WORDS, client.connection.transport.abort)

    # ---- UDP

    async def _look_for_listeners(self) -> None:
        while True:
            for sender in self._senders:
                heard = sender.is_heard()
                if heard and sender.connection is None:
                    found = self.simulator.connect(sender.line, self.time)
                    sender.connection = found if isinstance(found, int) else None
                elif not heard and sender.connection is not None:
                    self.simulator.disconnect(sender.connection, self.time)
                    sender.connection = None
                else:
                    continue
                self._heard()
            await asyncio.sleep(_LOOK)


class _Sender(asyncio.DatagramProtocol):
    """Sends the datagrams of a line to one port of this host, while somebody listens there."""

    def __init__(self, line: str, host: str, port: int) -> None:
        self.line = line
        self.port = port
        self.connection: int | None = None
        self._host = host
        self._refused = False
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, line: str, host: str, port: int) -> _Sender:
        """Towards a port of a host."""
        loop = asyncio.get_running_loop()
        transport, sender = await loop.create_datagram_endpoint(lambda: cls(line, host, port), remote_addr=(host, port))
        sender._transport = transport
        return sender

    def send(self, connection: int, data: str | bytes) -> None:
        """A datagram, if it is for this line's listener."""
        if connection == self.connection and self._transport is not None and isinstance(data, bytes):
            self._transport.sendto(data)

    def error_received(self, exc: Exception) -> None:
        """Such as a port nobody listens at."""
        self._refused = True

    def is_heard(self) -> bool:
        """Whether somebody has bound the port: binding it ourselves tells, without a datagram on the line."""
        refused, self._refused = self._refused, False
        if refused:
            return False
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self._host, self.port))
            except OSError as error:
                return error.errno == errno.EADDRINUSE
        return False

    def close(self) -> None:
        """No more datagrams."""
        if self._transport is not None:
            self._transport.close()


def _free_udp_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _response(connection: Any, status: int, body: str, headers: Mapping[str, str] | None = None) -> Response:
    response: Response = connection.respond(status, body)
    for name, value in (headers or {}).items():
        if name in response.headers:
            del response.headers[name]
        response.headers[name] = value
    return response


def _quiet() -> logging.Logger:
    """What goes wrong on a simulated line is meant to: the library's own words about it are for debugging."""
    logger = logging.getLogger("engine.sim.websockets")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
    return logger
