"""``python -m tests.conformance``: official and standard clients against the simulated providers.

Each client lives in a virtual environment of its own, unmodified but for the address, and tells as JSON what it read;
that is held against what the simulator knows it sent. The result is a table, written to docs/conformance.md. The exit
code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.events import Side
from engine.core.units import NANOS
from engine.sim.market import Market
from engine.sim.providers.iex import HEADER
from engine.sim.simulation import Simulation
from engine.sim.simulator import Simulator
from engine.sim.truth_log import Frame, LineTruth
from engine.sim.world import World
from tests.reference.capture import classic, ethernet

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS = Path(__file__).resolve().parent / "clients"
SYMBOLS = ["AAPL", "MSFT", "SPY"]
PATIENCE = 120

#: client script -> package
PACKAGES = {
    "massive_client": "massive==2.9.1",
    "alpaca_client": "alpaca-py==0.44.0",
    "finnhub_client": "finnhub-python==2.4.29",
    "iex_parser_client": "iex-parser==1.7.0",
    "meatpy_client": "meatpy==0.5.0",
}


@dataclass
class Result:
    """What one client did; ``wrong`` says what differed."""

    package: str
    line: str
    steps: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def check(self, step: str, right: bool, found: object = "") -> None:
        """One thing that has to be so."""
        self.steps.append(step)
        if not right:
            self.wrong.append(f"{step}: {str(found)[:200]}" if found else step)


def python_of(folder: Path, script: str) -> Path:
    """The interpreter of a client's environment, which is made where it is missing."""
    home = folder / script
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", PACKAGES[script]], check=True)
        (home / "ready").touch()
    return python


async def tell(folder: Path, script: str, *arguments: str) -> dict[str, Any]:
    """Runs a client and reads its JSON."""
    python = python_of(folder, script)
    command = (str(python), str(CLIENTS / f"{script}.py"), *arguments)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    if process.returncode:
        return {"error": err.decode()[-500:] or "took too long"}
    document: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return document


# ---- WebSocket and REST


def compare(result: Result, told: dict[str, Any], sim: Simulation, line: str) -> None:
    """What the client read against what was sent on the connection that sent most."""
    log = sim.truth.log
    frames = max((log.frames(number) for number in log.connections(line)), key=len)
    changes = [change for frame in frames for change in frame.changes]
    quotes = [
        [change.symbol, *(part for slot in change.top for part in (slot.price / NANOS, slot.quantity / NANOS))]
        for change in changes
        if change.top is not None
    ]
    trades = [change.symbol for change in changes if change.prints]
    result.check("quotes equal what was sent", told["quotes"] == quotes[: len(told["quotes"])], told["quotes"][:3])
    result.check("trades equal what was sent", [row[0] for row in told["trades"]] == trades[: len(told["trades"])])
    result.check("reads quotes and trades", len(told["quotes"]) > 50 and len(told["trades"]) > 5)
    prices = {symbol: sim.truth.nbbo(symbol).bid.price / NANOS for symbol in SYMBOLS}
    near = all(abs(price / prices[symbol] - 1) < 0.05 for symbol, price, _ in told["trades"])
    result.check("trades are at the market", near, told["trades"][:3])


async def massive(folder: Path, result: Result) -> None:
    world = World(SYMBOLS, seed=1, duration="1h", rate=300)
    async with Simulation(world, ["polygon"]) as sim:
        host = sim.urls["polygon"].removeprefix("ws://").partition("/")[0]
        told = await tell(folder, "massive_client", host, sim.rest_urls["polygon"])
        if not reached(result, told):
            return
        compare(result, told, sim, "polygon")
        result.check("reads second bars", told["bars"] > 0)
        result.check("REST bars, last NBBO", told["aggregates"] > 0 and told["nbbo"][0] < told["nbbo"][1], told["nbbo"])
    async with Simulation(world, ["polygon"], options={"polygon": {"key": "right"}}) as sim:
        host = sim.urls["polygon"].removeprefix("ws://").partition("/")[0]
        told = await tell(folder, "massive_client", host, "refused")
        result.check("a wrong key is AuthError", told.get("refused") == "authentication failed", told)


async def alpaca(folder: Path, result: Result) -> None:
    world = World(SYMBOLS, seed=2, duration="1h", rate=300)
    async with Simulation(world, ["alpaca-sip"]) as sim:
        told = await tell(folder, "alpaca_client", sim.urls["alpaca-sip"], sim.rest_urls["alpaca-sip"])
        if not reached(result, told):
            return
        compare(result, told, sim, "alpaca-sip")
        result.check("unsubscribes", told["after"] == [], told["after"])
        result.check("REST bars and latest quote", told["bars"] > 0 and told["latest"][0] < told["latest"][1])
    async with Simulation(world, ["alpaca-sip"], options={"alpaca-sip": {"key": "right"}}) as sim:
        told = await tell(folder, "alpaca_client", sim.urls["alpaca-sip"], "refused")
        result.check("a wrong key is ValueError", told.get("refused") == "auth failed", told)


async def finnhub(folder: Path, result: Result) -> None:
    async with Simulation(World(SYMBOLS, seed=3, duration="1h", rate=300), ["finnhub"]) as sim:
        await asyncio.sleep(1)
        told = await tell(folder, "finnhub_client", sim.rest_urls["finnhub"])
        if not reached(result, told):
            return
        quote, candles = told["quote"], told["candles"]
        result.check(
            "quote", set(quote) == set("cdhlot") | {"dp", "pc"} and quote["l"] <= quote["c"] <= quote["h"], quote
        )
        result.check("candles", candles["s"] == "ok" and len(candles["c"]) == len(candles["t"]) > 0, candles)
        result.check("no data", told["nothing"] == {"s": "no_data"}, told["nothing"])
        result.check("errors carry their status", told["status"] == 404, told["status"])


def reached(result: Result, told: dict[str, Any]) -> bool:
    """Whether the client came through at all."""
    result.check("connects, logs in, subscribes, reads", "error" not in told, told.get("error", ""))
    return "error" not in told


# ---- captures of IEX


def recorded(feed: str) -> tuple[bytes, list[Frame]]:
    """A capture of two seconds of a line, and the frames in it."""
    simulator = Simulator(Market(SYMBOLS, seed=4, duration="2s"), [feed])
    simulator.connect(feed, simulator.market.start)
    simulator.advance(simulator.market.start + 2 * NANOS)
    frames = [item for item in simulator.take_output(2**62) if isinstance(item, Frame)]
    packets = [(frame.time, ethernet(frame.data)) for frame in frames if isinstance(frame.data, bytes)]
    return classic(packets), frames


async def iex(folder: Path, result: Result, script: str) -> None:
    data, frames = recorded("iex")
    with tempfile.NamedTemporaryFile(suffix=".pcap") as file:
        file.write(data)
        file.flush()
        told = await tell(folder, script, file.name)
    result.check("reads the capture", "error" not in told, told.get("error", ""))
    if "error" in told:
        return
    count = sum(HEADER.unpack_from(frame.data)[6] for frame in frames if isinstance(frame.data, bytes))
    result.check(f"every message ({count})", told["messages"] == count, told["messages"])
    truth = LineTruth()
    for frame in frames:
        truth.receive(frame)
    result.check(f"every trade ({truth.prints})", told["trades"] == truth.prints, told["trades"])
    for symbol in SYMBOLS:
        for side in (Side.BID, Side.ASK):
            levels = sorted([price // 100_000, size // NANOS] for price, size in truth.levels[symbol][side].items())
            key = f"{symbol} {side.name}"
            result.check(f"book {key}", sorted(told["levels"].get(key, [])) == levels, told["levels"].get(key))
    result.check(
        "directory and trading states", told["directory"] == told["states"] == sorted(SYMBOLS), told["directory"]
    )


async def main(folder: Path) -> int:
    results = []
    for name, line, run in (
        ("massive_client", "polygon", massive),
        ("alpaca_client", "alpaca-sip (msgpack)", alpaca),
        ("finnhub_client", "finnhub (REST)", finnhub),
        ("iex_parser_client", "iex (pcap of DEEP 1.0)", lambda *given: iex(*given, "iex_parser_client")),
        ("meatpy_client", "iex (pcap of DEEP 1.0)", lambda *given: iex(*given, "meatpy_client")),
    ):
        python_of(folder, name)  # before the market opens
        result = Result(PACKAGES[name], line)
        await run(folder, result)
        results.append(result)
        sys.stderr.write(f"{result.package}: {'; '.join(result.wrong) or 'as expected'}\n")
    (ROOT / "docs" / "conformance.md").write_text(table(results))
    return 1 if any(result.wrong for result in results) else 0


def table(results: list[Result]) -> str:
    """The page."""
    lines = [
        "# Conformance of the simulated providers",
        "",
        "Written by `python -m tests.conformance`: clients that others wrote connect to the loopback servers of",
        "`engine.Simulation`, unmodified but for the address, and what they read is held against what was sent.",
        "",
        "| client | line | result | checked |",
        "|---|---|---|---|",
    ]
    for result in results:
        outcome = "as expected" if not result.wrong else "DIFFERS: " + "; ".join(result.wrong).replace("|", "/")
        steps = [step for step in result.steps if not step.startswith("book ")]
        if len(steps) < len(result.steps):
            steps.append("books of all symbols")
        lines.append(f"| `{result.package}` | {result.line} | {outcome} | {'; '.join(steps)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=Path, help="where the virtual environments are kept; a temporary folder")
    options = parser.parse_args()
    if options.environments is not None:
        sys.exit(asyncio.run(main(options.environments.resolve())))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(asyncio.run(main(Path(temporary))))
