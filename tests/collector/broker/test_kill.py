"""kill -9 of a collector that reads a broker, again and again, while messages flow.

Whatever the broker acknowledged to the publisher is in the journal, and counts once. The seed decides at which commit of a life
it is killed. That commit never ends. Held before the disk has it, an acknowledgement that left too early costs its messages; held
after, nobody was told, and they come again. (Killed at a random moment instead, a fast machine has committed everything by then, and over MQTT
3.1.1, where mosquitto delivers without waiting, acknowledging on arrival went unnoticed.)
"""

import asyncio
import os
import random
import sys
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from batches import TOPIC, usage_payload
from brokers import CAREFUL, Mosquitto, Publisher, until

from phusong.collector.journal.reader import read_frames
from phusong.kernels.frame import decode_frame
from phusong.v1.telemetry_pb2 import Batch
from running import phusong

# The last message: everything before it has been delivered.
END_OPERATOR = "end"
# A share of the messages makes more commits than these on any machine: they are published a hundred in flight.
FATAL_COMMIT_MAX = 6
END_TOPIC = f"phusong/v1/{END_OPERATOR}/pgw-1/batch"

COLLECTOR = """
import asyncio, itertools, sys, threading
from pathlib import Path
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.journal.writer import JournalWriter

data, port, version, end, fatal, when = sys.argv[1:]
broker = BrokerOptions("127.0.0.1", "collector", int(port), version)
append, commits = JournalWriter.append, itertools.count(1)

def hold():
    print("committing", flush=True)
    threading.Event().wait()

def append_until_fatal(self, frames):
    is_fatal = next(commits) == int(fatal)
    if is_fatal and when == "before":
        hold()
    sequence = append(self, frames)
    if is_fatal:
        hold()
    return sequence

JournalWriter.append = append_until_fatal

async def main():
    async with Doors(DoorOptions(Path(data), broker=broker)) as doors:
        while doors.not_ready():
            await asyncio.sleep(0.01)
        print("ready", flush=True)
        while not any(origin.operator == end for origin in doors.counts.origins):
            await asyncio.sleep(0.05)
    print("all", flush=True)

asyncio.run(main())
"""


@asynccontextmanager
async def collector(data, broker, version, fatal_commit=0, when=""):
    """Run a collector as a process until the context ends; there is no mercy at the end.

    A fatal commit never ends: held "before" the disk has it, or "after", when nobody has been told. Yields the process and
    its first line; what waited at the broker may be in the fatal commit before the collector says that it is ready.
    """
    arguments = (data, broker.port, version, END_OPERATOR, fatal_commit, when)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COLLECTOR, *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        first = await process.stdout.readline()
        assert first == b"ready\n" or (fatal_commit and first == b"committing\n")
        yield process, first
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def committing(process, line):
    """Return when a process is in its fatal commit; `line` is the last it said."""
    while line != b"committing\n":
        line = await process.stdout.readline()
        assert line, "it ended by itself"


def copies_of_batches(data):
    """Return how often each (operator, sequence) is in the journal."""
    copies = Counter()
    for stored in read_frames(data / "journal"):
        frame = decode_frame(stored.body)
        for route, offset, length in zip(frame.route, frame.offset, frame.length, strict=True):
            batch = Batch.FromString(stored.body[offset : offset + length])
            copies[frame.routes[int(route)].operator, batch.sequence] += 1
    return copies


async def flow_and_kill(data, version, *, message_count, kill_count, seed):
    """Publish sequences 1…message_count, kill the collector so often; return what the broker acknowledged.

    In each life a share of the messages flows, and the end comes at one of its first commits; what is left of the share
    is published while nobody reads.
    """
    chance = random.Random(seed)
    share = message_count // (kill_count + 1)
    with Mosquitto(data.parent, *CAREFUL) as broker, Publisher(broker.port) as publisher:

        def publish(first, last):
            for sequence in range(first, last + 1):
                publisher.publish(TOPIC, usage_payload(sequence), ("viettel", sequence))

        for life in range(kill_count):
            fatal = chance.randint(1, FATAL_COMMIT_MAX), ("before", "after")[life % 2]
            async with collector(data, broker, version, *fatal) as (process, said):
                first = life * share + 1
                flow = asyncio.create_task(asyncio.to_thread(publish, first, first + share - 1))
                await committing(process, said)
                # Whoever acknowledges too early has time to.
                await asyncio.sleep(chance.uniform(0.05, 0.2))
            await flow
        async with collector(data, broker, version) as (last, _):
            await asyncio.to_thread(publish, kill_count * share + 1, message_count)
            await until(lambda: publisher.acknowledged_count == message_count, 60)
            publisher.publish(END_TOPIC, usage_payload(1), (END_OPERATOR, 1))
            assert await last.stdout.readline() == b"all\n"
            assert await last.wait() == 0
        await until(lambda: publisher.acknowledged_count > message_count)
        return publisher.acknowledged


async def check(tmp_path, version, *, message_count, kill_count, seed):
    data = tmp_path / "data"
    sys.stdout.write(f"PHUSONG_SEED={seed}\n")
    acknowledged = await flow_and_kill(
        data, version, message_count=message_count, kill_count=kill_count, seed=seed
    )

    copies = copies_of_batches(data)
    stat = (
        await asyncio.to_thread(phusong, "journal", "stat", "--data", data, "--format", "json")
    ).document
    again = copies.total() - len(copies)
    sys.stdout.write(
        f"seed {seed}, MQTT {version}: {message_count} messages, {kill_count} kills,"
        f" {len(acknowledged - copies.keys())} lost, {again} delivered again,"
        f" {stat['taken'] - len(copies)} counted twice\n"
    )
    assert len(acknowledged) == message_count + 1  # and the end
    assert acknowledged <= copies.keys()
    assert stat["taken"] == len(copies) == message_count + 1
    assert stat["sequence_gaps"] == 0
    assert again > 0  # or no kill fell between a commit and its acknowledgement


@pytest.mark.slow
async def test_nothing_is_lost_or_counted_twice_over_kill_9(tmp_path, version):
    await check(tmp_path, version, message_count=5_000, kill_count=2, seed=20211201)


@pytest.mark.torture
@pytest.mark.timeout(3600)
async def test_nothing_is_lost_or_counted_twice_over_many_kills(tmp_path, version):
    seed = int(os.environ.get("PHUSONG_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)

    await check(tmp_path, version, message_count=100_000, kill_count=20, seed=seed)
