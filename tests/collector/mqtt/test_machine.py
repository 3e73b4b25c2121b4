"""Any order of connecting, publishing, acknowledging, crashing and starting again, on the real endpoint and journal.

The model is two counters: what was sent, and what was acknowledged.
"""

import asyncio
import itertools
import os
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from batches import usage_payload
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mqtt5 import PublishPacket, QoS
from mqtt_peer import Peer

from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.journal.reader import read_frames
from phusong.collector.memory import recover
from phusong.kernels.frame import decode_frame
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import build_state

CLOCK_MS = 1_633_064_400_000
SOURCES = ("pgw-1", "pgw-2", "probe-1")
PEER_COUNT_MAX = 4
BOOT_EPOCH = 5

messages = st.lists(
    st.tuples(st.sampled_from(SOURCES), st.integers(1, 40), st.sampled_from([0, 1, 1, 1])),
    min_size=1,
    max_size=12,
)
places = st.integers(0, PEER_COUNT_MAX - 1)


def row_count(number):
    """Return how many rows the batch of a number has: always the same, whoever sends it again."""
    return number % 3 + 1


class Sender:
    """A connection, and what it waits for: (packet id, source, number) in the order sent."""

    def __init__(self, peer):
        self.peer = peer
        self.packet_id = 0
        self.waiting = []

    def send(self, source, number, qos):
        payload = usage_payload(number, rows=row_count(number), boot_epoch=BOOT_EPOCH)
        topic = f"phusong/v1/viettel/{source}/batch"
        if not qos:
            self.peer.send(PublishPacket(topic, payload, qos=QoS.AT_MOST_ONCE))
            return
        self.packet_id = self.packet_id % 65535 + 1
        self.peer.send(
            PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=self.packet_id)
        )
        self.waiting.append((self.packet_id, source, number))

    async def take_acknowledgements(self, count):
        """Return (source, number) of the next that were acknowledged; they come in the order sent."""
        taken = []
        for _ in range(min(count, len(self.waiting))):
            packet_id, source, number = self.waiting.pop(0)
            acknowledgement = await self.peer.packet()
            assert acknowledgement.packet_id == packet_id, "PUBACKs come in the order sent"
            taken.append((source, number))
        return taken


class Machine(RuleBasedStateMachine):
    """Drives doors on a folder; a crash goes on with a copy of the files as they lie at that moment."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="phusong-machine-"))
        self.life = 0
        self.senders = []
        self.names = itertools.count()
        self.sent = Counter()
        self.acknowledged = Counter()
        self.doors = None
        self.runner.run(self.open())

    @property
    def data(self):
        return self.folder / str(self.life)

    async def open(self):
        self.doors = await Doors(
            DoorOptions(self.data, open_loopback=True), lambda: CLOCK_MS
        ).__aenter__()

    async def close(self):
        for sender in self.senders:
            sender.peer.close()
            await sender.peer.writer.wait_closed()
        self.senders = []
        Peer.open_peers.clear()
        await self.doors.__aexit__(None, None, None)

    @precondition(lambda self: len(self.senders) < PEER_COUNT_MAX)
    @rule()
    def connect(self):
        async def connected():
            # Never a name that is in use: that would end the other's session.
            name = f"peer {next(self.names)}"
            return Sender(await Peer.connected(self.doors.mqtt_port, name))

        self.senders.append(self.runner.run(connected()))

    @precondition(lambda self: self.senders)
    @rule(place=places, burst=messages, turns=st.integers(0, 30))
    def publish(self, place, burst, turns):
        async def published():
            sender = self.senders[place % len(self.senders)]
            for source, number, qos in burst:
                sender.send(source, number, qos)
                self.sent[source, number] += 1
            for _ in range(turns):  # how far the endpoint comes before anything else happens
                await asyncio.sleep(0)

        self.runner.run(published())

    @precondition(lambda self: self.senders)
    @rule(place=places, count=st.integers(1, 30))
    def acknowledge(self, place, count):
        sender = self.senders[place % len(self.senders)]
        self.acknowledged.update(self.runner.run(sender.take_acknowledgements(count)))

    @precondition(lambda self: self.senders)
    @rule(place=places)
    def cut(self, place):
        sender = self.senders.pop(place % len(self.senders))

        async def cut():
            sender.peer.writer.transport.abort()
            await asyncio.sleep(0)

        self.runner.run(cut())

    @rule()
    def crash(self):
        shutil.copytree(
            self.data, self.folder / str(self.life + 1), ignore=shutil.ignore_patterns("*.sock")
        )
        self.runner.run(self.close())  # of the abandoned folder; nobody hears its last answers
        shutil.rmtree(self.data)
        self.life += 1
        self.check()
        self.runner.run(self.open())

    @rule()
    def restart(self):
        self.runner.run(self.close())
        self.check()
        self.runner.run(self.open())

    def teardown(self):
        self.runner.run(self.close())
        self.runner.close()
        try:
            self.check()
        finally:
            shutil.rmtree(self.folder)

    def check(self):
        """Hold journal, collector and verifier to the model."""
        found = Counter()
        for stored in read_frames(self.data / "journal"):
            frame = decode_frame(stored.body)
            for number, start, length in zip(frame.route, frame.offset, frame.length, strict=True):
                source = frame.routes[int(number)].source
                found[source, stored.body[start : start + length]] += 1
        expected = {
            (source, usage_payload(number, rows=row_count(number), boot_epoch=BOOT_EPOCH)): (
                source,
                number,
            )
            for source, number in self.sent
        }
        copies = Counter({expected[key]: count for key, count in found.items()})
        assert self.acknowledged <= copies <= self.sent

        state = build_state(self.data, Horizon(), QuotaSettings())
        rows = {message: row_count(message[1]) for message in copies}
        assert sum(state.tallies.taken.values()) == sum(rows.values()), "each counted once"
        assert sum(state.tallies.duplicate.values()) == sum(
            rows[message] * (count - 1) for message, count in copies.items()
        )
        assert not state.tallies.refused
        gap_count = sum(
            max(numbers) - len(numbers)
            for source in SOURCES
            if (numbers := {number for of, number in copies if of == source})
        )
        assert state.windows.gap_count() == gap_count
        assert recover(self.data / "journal").judge.windows.gap_count() == gap_count


TestMachine = pytest.mark.slow(Machine.TestCase)
TestMachine.settings = settings(max_examples=6, stateful_step_count=15, deadline=None)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_hundreds_of_long_histories_lose_and_double_nothing():
    number = int(os.environ.get("PHUSONG_SEED") or random.SystemRandom().randrange(2**31))
    print(f"PHUSONG_SEED={number}")  # noqa: T201 - to repeat it
    run_state_machine_as_test(
        seed(number)(Machine),
        settings=settings(max_examples=300, stateful_step_count=40, deadline=None, database=None),
    )
