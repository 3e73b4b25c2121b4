"""kill -9 of a collector that reads a broker, again and again, while messages flow.

Whatever the broker acknowledged to the publisher is in the journal, and counts once. The seed decides when it is killed.
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
END_TOPIC = f"phusong/v1/{END_OPERATOR}/pgw-1/batch"

COLLECTOR = """
import asyncio, sys
from pathlib import Path
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.doors import DoorOptions, Doors

data, port, version, end = sys.argv[1:]
broker = BrokerOptions("127.0.0.1", "collector", int(port), version)

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
async def collector(data, broker, version):
    """Run a collector as a process until the context ends; there is no mercy at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COLLECTOR, str(data), str(broker.port), version, END_OPERATOR),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


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

    In each life a share of the messages flows, and the end comes at a random one of them; what is left of the share is
    published while nobody reads.
    """
    chance = random.Random(seed)
    share = message_count // (kill_count + 1)
    with Mosquitto(data.parent, *CAREFUL) as broker, Publisher(broker.port) as publisher:

        def publish(first, last):
            for sequence in range(first, last + 1):
                publisher.publish(TOPIC, usage_payload(sequence), ("viettel", sequence))

        for life in range(kill_count):
            async with collector(data, broker, version):
                first = life * share + 1
                flow = asyncio.create_task(asyncio.to_thread(publish, first, first + share - 1))
                fatal = first + chance.randrange(share)
                await until(lambda: publisher.acknowledged_count >= fatal)  # noqa: B023 - used within the turn
                await asyncio.sleep(chance.random() / 20)
            await flow
        async with collector(data, broker, version) as last:
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


@pytest.mark.slow
async def test_nothing_is_lost_or_counted_twice_over_kill_9(tmp_path, version):
    await check(tmp_path, version, message_count=5_000, kill_count=2, seed=20211201)


@pytest.mark.torture
@pytest.mark.timeout(3600)
async def test_nothing_is_lost_or_counted_twice_over_many_kills(tmp_path, version):
    seed = int(os.environ.get("PHUSONG_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)

    await check(tmp_path, version, message_count=100_000, kill_count=20, seed=seed)
