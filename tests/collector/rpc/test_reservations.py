"""Reservations over the real door: on disk before they are answered, counted once, and the same after a restart."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from batches import TIME_MS, decision

from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.journal.reader import read_frames
from phusong.collector.memory import CACHE_NAME
from phusong.kernels.frame import PayloadKind, decode_frame
from phusong.v1.enforcement_pb2 import ACTION_RESTORE
from phusong.v1.reservation_pb2 import Reservation, ReserveRequest
from phusong.v1.reservation_pb2_grpc import ReservationsStub

MB = 10**6
SIM = 2**64 - 1


@asynccontextmanager
async def opened(folder):
    options = DoorOptions(folder, open_loopback=True, quota_bytes=100 * MB)
    async with (
        Doors(options, lambda: TIME_MS) as doors,
        grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel,
    ):
        yield doors, ReservationsStub(channel)


def request(number, used=0, wanted=0, **fields):
    return ReserveRequest(
        **{"operator": "viettel", "source": "pgw", "session": "s", "subscriber_key": SIM}
        | {"number": number, "used_bytes": used, "wanted_bytes": wanted}
        | fields
    )


def entries(folder):
    """Return every journalled step with its answer."""
    found = []
    for stored in read_frames(folder / "journal"):
        frame = decode_frame(stored.body)
        for number, offset, length in zip(frame.route, frame.offset, frame.length, strict=True):
            if frame.routes[int(number)].kind == PayloadKind.RESERVATION:
                found.append(Reservation.FromString(stored.body[offset : offset + length]))
    return found


@pytest.mark.parametrize("has_cache", [True, False])
async def test_the_worked_example_goes_on_after_a_restart(tmp_path, has_cache):
    async with opened(tmp_path) as (_, stub):
        first = await stub.Reserve(request(1, 0, 40 * MB))
        second = await stub.Reserve(request(2, 50 * MB, 40 * MB))
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with opened(tmp_path) as (_, stub):
        again = await stub.Reserve(request(2, 50 * MB, 40 * MB))
        third = await stub.Reserve(request(3, 30 * MB, 40 * MB))

    answers = [(a.granted_bytes // MB, a.left_bytes // MB) for a in (first, second, third)]
    assert answers == [(40, 60), (40, 10), (20, 0)]
    assert again == second
    journalled = entries(tmp_path)
    assert [entry.request.number for entry in journalled] == [1, 2, 3]
    assert [entry.answer for entry in journalled] == [first, second, third]
    assert first.day == "2021-10-01"


async def test_one_step_sent_many_times_at_once_counts_once(tmp_path):
    async with opened(tmp_path) as (doors, stub):
        answers = await asyncio.gather(
            *(stub.Reserve(request(1, 7 * MB, 40 * MB)) for _ in range(20))
        )
        sequence = doors.sequence

    assert all(answer == answers[0] for answer in answers)
    assert len(entries(tmp_path)) == 1
    assert sequence >= 1


async def test_a_sim_that_the_meter_cut_gets_nothing_until_it_is_restored(tmp_path):
    async with opened(tmp_path) as (doors, stub):
        await doors.board.publish([decision("a", sim=SIM)])
        cut = await stub.Reserve(request(1, 0, 40 * MB))
        restore = decision("b", sim=SIM)
        restore.action = ACTION_RESTORE
        await doors.board.publish([restore])
        restored = await stub.Reserve(request(2, 0, 40 * MB))

    assert (cut.granted_bytes, restored.granted_bytes) == (0, 40 * MB)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"operator": "Viettel!"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"source": ""}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"session": ""}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"session": "s" * 65}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"subscriber_key": 0}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"number": 0}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"used_bytes": -1}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"wanted_bytes": 2**54 + 1}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"number": 1}, grpc.StatusCode.FAILED_PRECONDITION),  # older than the last
    ],
)
async def test_what_cannot_be_meant_is_refused_and_not_journalled(tmp_path, fields, code):
    async with opened(tmp_path) as (_, stub):
        await stub.Reserve(request(2))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Reserve(request(**{"number": 3} | fields))

    assert refused.value.code() == code
    assert len(entries(tmp_path)) == 1
