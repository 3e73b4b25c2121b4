"""What was acknowledged before kill -9 is in the journal after it."""

import asyncio
import contextlib
import os
import signal
import sys

import pytest
from batches import TOPIC, usage_payload
from mqtt_peer import Peer, publish

from phusong.collector.doors import open_intake
from phusong.collector.journal.reader import read_frames
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Transport, decode_frame

SERVE = """
import asyncio, sys
from pathlib import Path
from phusong.collector.doors import DoorOptions, Doors

async def main():
    async with Doors(DoorOptions(Path(sys.argv[1]), open_loopback=True)) as doors:
        print(doors.mqtt_port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def publish_until_killed(port, first, process):
    """Publish sequences from `first` on, kill the service on the way; return those acknowledged."""
    peer = await Peer.connected(port)
    acknowledged = []
    sequence = first
    for _ in range(40):
        for _ in range(50):
            packet_id = sequence % 65535 + 1
            peer.send(publish(TOPIC, usage_payload(sequence), packet_id))
            sequence += 1
        await peer.writer.drain()
        acknowledged.append((await peer.packet()).packet_id - 1)
    os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(ConnectionError):
        acknowledged += [packet.packet_id - 1 for packet in await peer.packets()]
    peer.close()
    return acknowledged, sequence


@pytest.mark.slow
async def test_every_acknowledged_message_survives_kill_9(tmp_path):
    first, acknowledged = 1, []
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, str(tmp_path), stdout=asyncio.subprocess.PIPE
        )
        port = int(await process.stdout.readline())
        more, first = await publish_until_killed(port, first, process)
        acknowledged += more
        await process.wait()

    kept = set()
    for stored in read_frames(tmp_path / "journal"):
        frame = decode_frame(stored.body)
        for offset, length in zip(frame.offset, frame.length, strict=True):
            kept.add(stored.body[offset : offset + length])
    assert len(acknowledged) >= 120
    assert {usage_payload(sequence) for sequence in acknowledged} <= kept

    async with open_intake(tmp_path) as opened:  # and each is known as a repeat
        route = route_of_names("viettel", "pgw-1", Transport.MQTT)
        again = [opened.intake.send(route, usage_payload(n)) for n in acknowledged]
        assert all(receipt.duplicate_count == 1 for receipt in await asyncio.gather(*again))
