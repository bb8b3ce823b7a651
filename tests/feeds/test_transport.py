import asyncio
import base64
import hashlib
import shutil
import socket
import ssl
import subprocess

import pytest
import uvloop
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from engine.errors import ConfigError
from engine.feeds import transport
from engine.feeds.transport import connect, proxy_for
from tests.feeds.loopback import TIMEOUT, Remembers, server

KINDS = ["picows", "websockets"]
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request):
    """Runs a coroutine in a loop of this kind, and looks that nothing is left over."""

    def runs(coroutine):
        async def bounded():
            async with asyncio.timeout(TIMEOUT):
                await coroutine
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(bounded())

    return runs


async def end(link):
    link.close(1000, "")
    await link.wait_closed()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("kind", KINDS)
def test_messages_go_both_ways_in_order(run, kind):
    async def talk():
        seen = Remembers()
        async with server(echo) as url:
            link = connect(url, {}, seen, kind=kind)
            link.send("too early")
            link.ping()
            await seen.until(lambda told: told == ["opened"])
            for number in range(200):
                link.send(f"text {number}")
            link.send(b"\x00binary")
            link.send("ü" * 70_000)
            told = await seen.until(lambda told: len(told) == 203)
            assert told[1:201] == [f"text {number}".encode() for number in range(200)]
            assert told[201:] == [b"\x00binary", ("ü" * 70_000).encode()]
            assert link.address[0] == "127.0.0.1"
            await end(link)
        assert len(seen.told) == 203

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_headers_reach_the_server(run, kind):
    async def talk():
        found = {}

        async def handle(connection):
            found.update(connection.request.headers.raw_items())
            await echo(connection)

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {"APCA-API-KEY-ID": "k"}, seen, kind=kind)
            await seen.until(lambda told: told == ["opened"])
            await end(link)
        assert found["APCA-API-KEY-ID"] == "k"

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_fragmented_messages_come_whole(run, kind):
    async def talk():
        async def handle(connection):
            await connection.send(["one", " ", "message"])
            await connection.send([b"\x01", b"\x02"])
            await connection.wait_closed()

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            assert (await seen.until(lambda told: len(told) == 3))[1:] == [b"one message", b"\x01\x02"]
            await end(link)

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_pings_are_answered_both_ways(run, kind):
    async def talk():
        answered = asyncio.Event()

        async def handle(connection):
            await (await connection.ping())
            answered.set()
            await connection.wait_closed()

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            await seen.until(lambda told: "opened" in told)
            link.ping()
            await seen.until(lambda told: "pong" in told)
            await answered.wait()
            await end(link)
        assert seen.told == ["opened", "pong"]

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_a_close_frame_is_told_with_code_and_reason(run, kind):
    async def talk():
        async def handle(connection):
            await connection.send("last")
            await connection.close(1008, "too many")

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            assert await seen.until_closed() == ("closed", 1008, "too many")
            assert seen.told[:2] == ["opened", b"last"]
            await link.wait_closed()
            link.send("too late")
            link.close(1000, "")

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_a_drop_without_a_close_frame_is_told_as_one(run, kind):
    async def talk():
        async def handle(connection):
            await connection.send("last")
            connection.transport.abort()

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            assert (await seen.until_closed())[:2] == ("closed", None)
            await link.wait_closed()

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_handshake_tells_its_status(run, kind):
    async def talk():
        seen = Remembers()
        refuse = lambda connection, request: connection.respond(401, "no\n")  # noqa: E731
        async with server(echo, process_request=refuse) as url:
            link = connect(url + "?token=secret", {}, seen, kind=kind)
            assert await seen.until_closed() == ("closed", 401, "handshake refused with 401")
            await link.wait_closed()

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_listening_is_told(run, kind):
    async def talk():
        with socket.socket() as found:  # bound, not listening: connections are refused
            found.bind(("127.0.0.1", 0))
            seen = Remembers()
            link = connect(f"ws://127.0.0.1:{found.getsockname()[1]}/?token=secret", {}, seen, kind=kind)
            closed = await seen.until_closed()
            await link.wait_closed()
        assert closed[1] is None
        assert "secret" not in closed[2]
        assert seen.told == [closed]

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_closing_before_it_is_up_tells_nothing(run, kind):
    async def talk():
        seen = Remembers()
        async with server(echo) as url:
            link = connect(url, {}, seen, kind=kind)
            link.close(1000, "")
            await link.wait_closed()
        assert seen.told == []

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_closing_in_the_handshake_closes_the_socket(run, kind):
    async def talk():
        asked, ended = asyncio.Event(), asyncio.Event()

        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            asked.set()  # and is never answered
            assert await reader.read() == b""
            writer.close()
            ended.set()

        seen = Remembers()
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as found, asyncio.timeout(TIMEOUT):
            link = connect(f"ws://127.0.0.1:{found.sockets[0].getsockname()[1]}/", {}, seen, kind=kind)
            await asked.wait()
            link.close(1000, "")
            await link.wait_closed()
            await ended.wait()
        assert seen.told == []

    run(talk())


async def shake_hands(reader, writer, frames):
    """The server's side of the handshake by hand, and what follows it."""
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    key = next(line.split()[1] for line in lines if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frames)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("frames", "code"),
    [(b"\x80\x01a", None), (b"\x01\x01a\x81\x01b\x80\x01c", None), (b"\x88\x02\x03\xe9", 1001)],
    ids=["no start", "one inside", "good-bye"],
)
def test_a_server_that_errs_or_says_good_bye_and_stays_is_left(run, kind, frames, code, monkeypatch):
    monkeypatch.setattr(transport, "_CLOSE_WAIT", 0.01)

    async def talk():
        async def handle(reader, writer):
            await shake_hands(reader, writer, frames)
            while await reader.read(1_000):
                pass
            writer.close()

        seen = Remembers()
        async with await asyncio.start_server(handle, "127.0.0.1", 0) as found:
            link = connect(f"ws://127.0.0.1:{found.sockets[0].getsockname()[1]}/", {}, seen, kind=kind)
            assert (await seen.until_closed())[1] == code
            await link.wait_closed()
        assert len(seen.told) == 2

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_closing_sends_the_code_and_tells_nothing(run, kind):
    async def talk():
        codes = asyncio.Queue()

        async def handle(connection):
            try:
                await connection.recv()
            except ConnectionClosed as closed:
                codes.put_nowait((closed.rcvd.code, closed.rcvd.reason))

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            await seen.until(lambda told: told == ["opened"])
            link.close(1007, "malformed")
            assert await codes.get() == (1007, "malformed")
            await link.wait_closed()
        assert seen.told == ["opened"]

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", [1, 8])
def test_huge_messages_end_the_connection(run, kind, parts, monkeypatch):
    monkeypatch.setattr(transport, "FRAME_MAX", 1_000)

    async def talk():
        async def handle(connection):
            await connection.send(["x" * (2_000 // parts)] * parts if parts > 1 else "x" * 2_000)
            await connection.wait_closed()

        seen = Remembers()
        async with server(handle) as url:
            link = connect(url, {}, seen, kind=kind)
            await seen.until_closed()
            assert not [told for told in seen.told if isinstance(told, bytes)]
            await link.wait_closed()

    run(talk())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signs itself."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*command, "-days", "2", *names, *files], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_certificates_are_verified(run, kind, certificate):
    async def talk():
        mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        mine.load_cert_chain(certificate / "certificate", certificate / "key")
        async with server(echo, ssl=mine) as url:
            seen = Remembers()
            link = connect(url, {}, seen, kind=kind)
            closed = await seen.until_closed()
            assert "certificate verify failed" in closed[2].lower().replace("_", " ")
            await link.wait_closed()
            seen = Remembers()
            trusting = ssl.create_default_context(cafile=certificate / "certificate")
            link = connect(url, {}, seen, kind=kind, ssl_context=trusting)
            await seen.until(lambda told: told == ["opened"])
            link.send("hello")
            await seen.until(lambda told: told[1:] == [b"hello"])
            await end(link)

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_a_proxy_of_the_environment_is_asked(run, kind, monkeypatch):
    async def talk():
        asked = asyncio.Queue()

        async def proxy(reader, writer):
            asked.put_nowait(await reader.readline())
            writer.write(b"HTTP/1.1 403 no\r\n\r\n")
            writer.close()

        found = await asyncio.start_server(proxy, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{found.sockets[0].getsockname()[1]}"
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, address)
        monkeypatch.setenv("no_proxy", "")
        seen = Remembers()
        async with found:
            link = connect("wss://feed.example/x", {}, seen, kind=kind)
            assert await asked.get() == b"CONNECT feed.example:443 HTTP/1.1\r\n"
            assert (await seen.until_closed())[0] == "closed"
            await link.wait_closed()

    run(talk())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_of_an_error_holds_no_secret(run, kind):
    async def talk():
        seen = Remembers()
        link = connect("ws://127.0.0.1:1/x\nTOKEN?token=secretkey", {"Key": "secret\nvalue"}, seen, kind=kind)
        assert "secret" not in (await seen.until_closed())[2]
        await link.wait_closed()

    run(talk())
    text = transport._told(
        ValueError("bad: wss://h/?token=abcdef&x=1, header hidden!"), "wss://h/?token=abcdef&x=1", {"k": "hidden!"}
    )
    assert text == "ValueError: bad: ***, header ***"


def test_no_proxy_is_heard(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_for("wss://feed.example") is None
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "near.example")
    assert proxy_for("wss://feed.example/a") == "http://proxy:3128"
    assert proxy_for("ws://feed.example/a") is None
    assert proxy_for("wss://near.example/a") is None


def test_datagrams_are_frames(run):
    async def talk():
        seen = Remembers()
        link = connect("udp://127.0.0.1:0", {}, seen)
        await seen.until(lambda told: told == ["opened"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(50):
                sender.sendto(b"%d" % number, link.address)
            sender.sendto(b"", link.address)
        told = await seen.until(lambda told: len(told) == 52)
        assert told[1:] == [*(b"%d" % number for number in range(50)), b""]
        link.send(b"nothing")
        link.ping()
        await end(link)
        assert len(seen.told) == 52

    run(talk())


def test_multicast_groups_are_joined(run):
    async def talk():
        seen = Remembers()
        link = connect("udp://239.255.71.17:0?interface=127.0.0.1", {}, seen)
        told = await seen.until(lambda told: len(told) == 1)
        if told != ["opened"]:
            pytest.skip(f"no multicast here: {told}")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            sender.sendto(b"to all", ("239.255.71.17", link.address[1]))
        await seen.until(lambda told: told[1:] == [b"to all"])
        await end(link)

    run(talk())


def test_addresses_nobody_can_bind_are_told(run):
    async def talk():
        for url, words in [("udp://192.0.2.1:9", "OSError"), ("udp://feed.example:9", "address feed.example")]:
            seen = Remembers()
            link = connect(url, {}, seen)
            assert words in (await seen.until_closed())[2]
            await link.wait_closed()

    run(talk())


def test_addresses_are_checked(run):
    async def talk():
        with pytest.raises(ConfigError, match="scheme of the address is 'http'; expected ws, wss or udp"):
            connect("http://x", {}, Remembers())
        with pytest.raises(ConfigError, match="expected udp://host:port"):
            connect("udp://127.0.0.1", {}, Remembers())

    run(talk())
