"""The gRPC door, with the real client."""

import asyncio

import grpc
import pytest
import pytest_asyncio
from batches import decision, usage_batch
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

import phusong.collector.intake as intake_module
import phusong.collector.operator_decisions as decisions_module
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.rpc.limits import CALL_COUNT_MAX
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch


@pytest_asyncio.fixture
async def channel(doors):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as opened:
        yield opened


def batch(sequence, **fields):
    return usage_batch(sequence, source="oss", operator="viettel", **fields)


async def test_export_answers_with_a_receipt(channel):
    ingest = IngestStub(channel)

    first = await ingest.Export(batch(1, rows=5))
    again = await ingest.Export(batch(1, rows=5))

    assert (first.source, first.sequence, first.accepted_count) == ("oss", 1, 5)
    assert (again.accepted_count, again.duplicate_count) == (0, 5)


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (b"", "EMPTY"),
        (b"\x07", "MALFORMED"),
        (b"\x0a\x05ab", "TRUNCATED"),
        (b"\x08\x01", "MISTYPED"),
        (Batch(source="oss", operator="viettel").SerializeToString() + b"\x22\x05", "TRUNCATED"),
        (usage_batch(1, source="oss").SerializeToString(), "BAD_OPERATOR"),
        (usage_batch(1, operator="viettel").SerializeToString(), "BAD_SOURCE"),
        (usage_batch(1, operator="viettel", source="A b").SerializeToString(), "BAD_SOURCE"),
    ],
)
async def test_poison_gets_a_receipt_that_says_why(channel, poison, reason):
    export = channel.unary_unary(
        "/phusong.v1.Ingest/Export", response_deserializer=Receipt.FromString
    )

    receipt = await export(poison)

    assert [row.reason for row in receipt.refused] == [reason]
    assert receipt.journal_sequence == 1


async def test_many_calls_in_flight_share_commits(channel, doors):
    ingest = IngestStub(channel)

    receipts = await asyncio.gather(*(ingest.Export(batch(n)) for n in range(1, 101)))

    assert sum(receipt.accepted_count for receipt in receipts) == 100
    assert doors.counts.commit_count < 100


async def test_a_stream_answers_in_order(channel):
    call = IngestStub(channel).ExportStream(batch(n) for n in [3, 1, 2, 3, *range(10, 600)])

    receipts = [receipt async for receipt in call]

    assert [r.sequence for r in receipts] == [3, 1, 2, 3, *range(10, 600)]
    assert [r.duplicate_count for r in receipts[:4]] == [0, 0, 0, 1]


async def test_a_cancelled_stream_leaves_the_server_well(channel):
    call = IngestStub(channel).ExportStream()
    await call.write(batch(1))
    await call.read()
    call.cancel()

    assert (await IngestStub(channel).Export(batch(2))).accepted_count == 1


async def test_overload_says_when_to_come_again(channel, doors, monkeypatch):
    monkeypatch.setattr(intake_module, "QUEUE_PAYLOAD_COUNT_MAX", 0)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await IngestStub(channel).Export(batch(1))

    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == intake_module.RETRY_MS
    assert doors.sequence == 0


async def test_a_batch_that_is_too_large_is_kept_and_its_receipt_says_so(channel, doors):
    receipt = await IngestStub(channel).Export(batch(1, rows=60_000))

    assert [row.reason for row in receipt.refused] == ["TOO_LARGE"]
    assert doors.sequence == receipt.journal_sequence == 1


async def test_a_message_over_the_limit_of_grpc_is_refused_before_it_is_taken(channel):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await IngestStub(channel).Export(batch(1, rows=200_000))

    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_watch_resumes_after_a_position_and_goes_on(channel, doors):
    await doors.board.publish([decision("a"), decision("b")])
    call = EnforcementStub(channel).Watch(WatchRequest(operator="viettel", after_position=1))

    first = await call.read()
    await doors.board.publish([decision("x", "mobifone"), decision("c")])
    second = await call.read()

    assert [(d.decision_key, d.position) for d in (first, second)] == [("b", 2), ("c", 3)]
    call.cancel()


async def test_watch_never_leaves_a_silent_gap(channel, doors, monkeypatch):
    monkeypatch.setattr(decisions_module, "DECISION_KEPT_COUNT_MAX", 2)
    monkeypatch.setattr(decisions_module, "DECISION_TRIM_COUNT", 1)
    await doors.board.publish([decision(str(n)) for n in range(10)])

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await EnforcementStub(channel).Watch(WatchRequest(operator="viettel")).read()

    assert error.value.code() == grpc.StatusCode.OUT_OF_RANGE


@pytest.mark.parametrize("request_", [WatchRequest(operator="No"), WatchRequest(operator="")])
async def test_watch_of_no_operator_is_refused(channel, request_):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await EnforcementStub(channel).Watch(request_).read()

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_acknowledging_counts_known_decisions_once_and_survives_a_restart(tmp_path):
    for expected in (1, 0):
        async with Doors(DoorOptions(tmp_path, open_loopback=True)) as doors:
            await doors.board.publish([decision("a"), decision("b")])
            address = f"127.0.0.1:{doors.grpc_port}"
            async with grpc.aio.insecure_channel(address) as channel:
                request = AcknowledgeRequest(operator="viettel", decision_keys=["a", "a", "zzz"])
                response = await EnforcementStub(channel).Acknowledge(request)
        assert response.acknowledged_count == expected


async def test_health_and_reflection_answer(channel):
    health = health_pb2_grpc.HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service="phusong.v1.Ingest")
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")

    assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
    answers = [answer async for answer in reflection.ServerReflectionInfo(iter([question]))]
    names = {service.name for service in answers[0].list_services_response.service}
    assert {"phusong.v1.Ingest", "phusong.v1.Enforcement", "grpc.health.v1.Health"} <= names


async def test_after_a_failed_commit_the_door_is_not_healthy(channel, doors):
    doors._writer._database.execute("PRAGMA query_only = ON")

    for _ in range(2):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await IngestStub(channel).Export(batch(1, rows=10_000))
        assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    health = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service="phusong.v1.Ingest"))
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert "takes nothing more" in doors.not_ready()


async def test_one_connection_may_have_so_many_calls_under_way_and_the_client_holds_back_the_rest(
    doors, channel
):
    """Each call holds its payload until its commit, so an endless number would hold endless memory."""
    watch = EnforcementStub(channel).Watch
    calls = [watch(WatchRequest(operator="viettel")) for _ in range(CALL_COUNT_MAX)]
    waiting = [asyncio.ensure_future(call.read()) for call in calls]
    while len(doors.board.of("viettel").readers) < CALL_COUNT_MAX:  # noqa: ASYNC110 - there is no event for it
        await asyncio.sleep(0.01)

    one_more = asyncio.ensure_future(IngestStub(channel).Export(batch(1)))
    # Another connection is not held up by this one, and what it sends comes after.
    async with grpc.aio.insecure_channel(
        f"127.0.0.1:{doors.grpc_port}", options=[("grpc.use_local_subchannel_pool", 1)]
    ) as other:
        await IngestStub(other).Export(batch(2))
    assert not one_more.done()

    calls[0].cancel()
    assert (await one_more).accepted_count == 1
    for call in calls:
        call.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
