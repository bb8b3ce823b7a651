"""``engine sim``."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from websockets.asyncio.client import connect

from engine.cli import main
from engine.sim.world import World


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine", "sim", "provider", *arguments], stdout=subprocess.PIPE, text=True
    )


def test_the_first_line_says_where_and_an_interrupt_is_a_clean_end() -> None:
    with start("alpaca", "--feed", "sip", "--symbols", "AAA,BBB", "--key", "k") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert set(first) == {"provider", "url", "rest_url"}
        assert first["url"].endswith("/v2/sip")

        async def work() -> None:
            async with connect(first["url"]) as client:
                await client.send('{"action":"auth","key":"k","secret":"s"}')
                await client.send('{"action":"subscribe","quotes":["*"]}')
                while '"S":"BBB"' not in str(await client.recv()):
                    pass

        asyncio.run(asyncio.wait_for(work(), 20))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""


def test_it_ends_by_itself(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    result = CliRunner().invoke(main, ["sim", "provider", "iex", "--seconds", "0.1", "--truth", str(truth)])
    assert result.exit_code == 0
    assert truth.exists()
    assert set(json.loads(result.stdout)) == {"provider", "url"}


def test_a_tape_is_played(tmp_path: Path) -> None:
    from engine.core.instruments import Instruments
    from engine.storage.tape import TapeWriter

    path = tmp_path / "flow.tape"
    with TapeWriter(path, Instruments(["XXX"])) as tape:
        for batch in World(["XXX"], seed=2, duration="1s"):
            tape.write(batch)
    result = CliRunner().invoke(main, ["sim", "provider", "polygon", "--tape", str(path), "--seconds", "0.1"])
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)) == {"provider", "url", "rest_url"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["polygon", "--faults", "mute alpaca for=1s"], "line 'alpaca'; expected one of polygon"),
        (["polygon", "--feed", "sip"], "--feed is 'sip'; expected none"),
        (["iex_cloud"], "IEX Cloud was shut down on 2024-08-31"),
        (["nasdaq"], "provider is 'nasdaq'; expected one of polygon, alpaca, finnhub, iex"),
        (["alpaca", "--feed", "opra"], "expected one of iex, sip"),
        (["iex", "--symbols", "TOOLONGNAME"], "1 to 8 letters"),
        (["iex", "--symbols", ","], "expected a sequence of names"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["sim", "provider", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("engine: ")
    assert result.stderr.count("\n") == 1
