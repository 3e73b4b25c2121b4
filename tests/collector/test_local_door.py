"""The door for commands of this machine, and commands that behave badly."""

import asyncio

import pytest
from batches import usage_payload

import phusong.collector.local_door as local_door_module
from phusong.collector.doors import open_intake
from phusong.collector.local_door import LocalDoor, framed, socket_path
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Transport
from phusong.v1.journal_pb2 import Route as RouteMessage
from phusong.v1.local_pb2 import LocalPayload

ROUTE = route_of_names("viettel", "pgw-1", Transport.IMPORT)
MESSAGE = framed(
    LocalPayload(
        route=RouteMessage(**ROUTE._asdict()), payload=usage_payload(1)
    ).SerializeToString()
)


async def send_for_ever(writer):
    while True:
        writer.write(MESSAGE * 1000)
        async with asyncio.timeout(1):
            await writer.drain()


@pytest.mark.parametrize("is_gone", [True, False])
async def test_a_command_that_never_reads_its_receipts_does_not_keep_the_service_from_ending(
    tmp_path, monkeypatch, is_gone
):
    monkeypatch.setattr(local_door_module, "GOODBYE_TIMEOUT_S", 0.1)
    async with open_intake(tmp_path) as opened:
        async with LocalDoor(opened.intake, tmp_path) as door:
            with socket_path(tmp_path) as path:
                _, writer = await asyncio.open_unix_connection(path)
            writer.transport.pause_reading()
            with pytest.raises(TimeoutError):  # the door has all it takes and no room for answers
                await send_for_ever(writer)
            if is_gone:
                writer.transport.abort()
                while door._tasks:  # noqa: ASYNC110 - the door tells nobody
                    await asyncio.sleep(0.01)
        writer.transport.abort()
