"""The manager alone; with a broker behind it see tests/sim/test_link.py."""

import asyncio

from engine.brokers.manager import BrokerManager
from engine.brokers.protocol import NEVER, BrokerFacts, Outgoing
from engine.core.trading import LineState, Query
from engine.errors import ProtocolError
from engine.sim import loop


class Scripted:
    """An adapter that repeats commands as bytes, and does not understand "garbage"."""

    def __init__(self, name):
        self.facts = BrokerFacts(name)
        self.broken = ""
        self.calls, self.outgoing, self.inputs = [], [], []

    def opened(self, now):
        self.calls.append("opened")
        self.broken = ""

    def closed(self, reason, now):
        self.calls.append(f"closed: {reason}")
        self.inputs.append(LineState("broker", self.facts.name, "down", reason))

    def encode(self, command, now):
        self.outgoing.append(Outgoing(command.client_order_id.encode()))

    def receive(self, data, now, request=0):
        if data == b"garbage":
            raise ProtocolError("what is this")
        self.broken = data.decode()

    def timer(self, now):
        return NEVER

    def take_outgoing(self):
        found, self.outgoing = self.outgoing, []
        return found

    def take_inputs(self):
        found, self.inputs = self.inputs, []
        return found


class Wire:
    def __init__(self):
        self.sent, self.opens, self.closes = [], 0, 0

    def open(self, handler):
        self.opens += 1
        self.handler = handler
        asyncio.get_running_loop().call_soon(handler.opened)

    def send(self, outgoing):
        self.sent.append(outgoing.data)

    def close(self):
        self.closes += 1


def managed(scene):
    async def main():
        one, two = Scripted("one"), Scripted("two")
        wires, heard = (Wire(), Wire()), []
        clock = asyncio.get_running_loop().clock
        manager = BrokerManager([(one, wires[0]), (two, wires[1])], heard.extend, clock=clock, seed=1)
        manager.start()
        await asyncio.sleep(1)
        await scene(manager, wires)
        manager.close()
        return (one, two), wires, heard

    return loop.run(main(), start=1)


def test_each_command_goes_to_its_broker_in_order():
    async def scene(manager, wires):
        manager.send([Query("two", "a", "", ""), Query("one", "b", "", ""), Query("two", "c", "", "")])

    _, (one, two), _ = managed(scene)
    assert (one.sent, two.sent) == ([b"b"], [b"a", b"c"])


def test_garbage_and_a_broken_line_end_the_connection_and_it_is_opened_again():
    async def scene(manager, wires):
        wires[0].handler.received(b"garbage")
        wires[1].handler.received(b"silent")
        await asyncio.sleep(10)

    (one, two), wires, heard = managed(scene)
    assert one.calls == ["opened", "closed: what is this", "opened"]
    assert two.calls == ["opened", "closed: silent", "opened"]
    assert [wire.opens for wire in wires] == [2, 2]
    assert [(state.name, state.state) for state in heard] == [("one", "down"), ("two", "down")]


def test_after_the_end_nothing_is_opened_again():
    async def scene(manager, wires):
        wires[0].handler.closed("gone")
        manager.close()
        await asyncio.sleep(60)

    _, wires, _ = managed(scene)
    assert wires[0].opens == 1
