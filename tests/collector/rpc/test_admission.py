"""What a gRPC client is told at the door that may not come in."""

import asyncio
from dataclasses import replace

import grpc
import pytest
import pytest_asyncio
from batches import decision, usage_batch
from credentials import TOKENS, register
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from phusong.collector.admission.limits import DEFAULT_LIMITS
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.rpc.server import QUESTION_COUNT_MAX
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, WatchRequest
from phusong.v1.enforcement_pb2_grpc import EnforcementStub
from phusong.v1.ingest_pb2_grpc import IngestStub

BATCH = usage_batch(1, source="oss", operator="viettel")
CALLS = {
    "Export": lambda channel, **fields: IngestStub(channel).Export(BATCH, **fields),
    "ExportStream": lambda channel, **fields: (
        IngestStub(channel).ExportStream(iter([BATCH]), **fields).read()
    ),
    "Watch": lambda channel, **fields: (
        EnforcementStub(channel).Watch(WatchRequest(operator="viettel"), **fields).read()
    ),
    "Acknowledge": lambda channel, **fields: EnforcementStub(channel).Acknowledge(
        AcknowledgeRequest(operator="viettel"), **fields
    ),
}


@pytest_asyncio.fixture
async def channel(guarded_doors):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{guarded_doors.grpc_port}") as opened:
        yield opened


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_without_a_credential_no_call_is_taken_and_the_caller_hears_what_to_do(
    guarded_doors, channel, call
):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call(channel)

    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "authorization: Bearer" in error.value.details()
    assert guarded_doors.sequence == 0


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_wrong_token_is_refused_where_none_would_do(doors, call):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call(channel, metadata=(("authorization", "Bearer guess"),))

    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "guess" not in error.value.details()


async def test_health_and_reflection_need_no_credential(channel):
    health = health_pb2_grpc.HealthStub(channel)
    reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
    question = reflection_pb2.ServerReflectionRequest(list_services="")

    answer = await health.Check(health_pb2.HealthCheckRequest(service="phusong.v1.Ingest"))
    names = [answer async for answer in reflection.ServerReflectionInfo(iter([question]))]

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert names


METADATA = (("authorization", f"Bearer {TOKENS['mobifone/oss']}"),)


async def test_a_token_lets_its_source_in_and_stands_in_the_journal(guarded_doors, channel):
    await register(guarded_doors)

    receipt = await IngestStub(channel).Export(
        usage_batch(1, source="oss", operator="mobifone"), metadata=METADATA
    )
    stream = IngestStub(channel).ExportStream(
        iter([usage_batch(2, source="oss", operator="mobifone")]), metadata=METADATA
    )

    assert (receipt.accepted_count, (await stream.read()).accepted_count) == (1, 1)
    principals = [r.principal for r in guarded_doors.intake.table.routes if r.source == "oss"]
    assert principals == ["mobifone/oss"]


async def test_the_data_of_another_operator_is_refused_with_a_reason(guarded_doors, channel):
    await register(guarded_doors)

    receipt = await IngestStub(channel).Export(BATCH, metadata=METADATA)

    assert receipt.accepted_count == 0
    assert [row.reason for row in receipt.refused] == ["OPERATOR_FORBIDDEN"]


@pytest.mark.parametrize("name", ["Watch", "Acknowledge"])
async def test_decisions_of_another_operator_are_nobodys_business(guarded_doors, channel, name):
    await register(guarded_doors)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await CALLS[name](channel, metadata=METADATA)

    assert error.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_a_revoked_credential_ends_watches_and_streams(guarded_doors, channel):
    await register(guarded_doors)
    await guarded_doors.board.publish([decision("a", "mobifone")])
    watch = EnforcementStub(channel).Watch(WatchRequest(operator="mobifone"), metadata=METADATA)
    stream = IngestStub(channel).ExportStream(metadata=METADATA)
    await stream.write(usage_batch(1, source="oss", operator="mobifone"))
    assert (await watch.read()).decision_key == "a"
    assert (await stream.read()).accepted_count == 1

    await register(guarded_doors, {})

    for call in (watch, stream):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert "register" in error.value.details()


async def test_a_source_ahead_of_its_rate_is_told_when_to_come_again(guarded_doors, channel):
    await register(guarded_doors)
    keeper = guarded_doors.doorkeeper
    keeper.limits = replace(keeper.limits, payloads_per_s_per_source=1)
    batches = (usage_batch(n, source="oss", operator="mobifone") for n in range(1, 5))

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await asyncio.gather(
            *(IngestStub(channel).Export(batch, metadata=METADATA) for batch in batches)
        )

    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    status = Status.FromString(dict(error.value.trailing_metadata())["grpc-status-details-bin"])
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert 0 < retry.retry_delay.ToMilliseconds() <= 1001


async def test_a_source_has_so_many_watches_and_streams_and_no_more(guarded_doors, channel):
    await register(guarded_doors)
    keeper = guarded_doors.doorkeeper
    keeper.limits = replace(keeper.limits, connections_per_source=1)
    await guarded_doors.board.publish([decision("a", "mobifone")])
    request = WatchRequest(operator="mobifone")
    watch = EnforcementStub(channel).Watch(request, metadata=METADATA)
    await watch.read()

    for call in (
        EnforcementStub(channel).Watch(request, metadata=METADATA),
        IngestStub(channel).ExportStream(iter([BATCH]), metadata=METADATA),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED

    watch.cancel()


def held_call(channel, method, **fields):
    """Begin a call and never send its message."""
    return channel.stream_unary(method)(**fields)


@pytest.mark.parametrize(
    "method",
    ["/phusong.v1.Ingest/Export", "/phusong.v1.Enforcement/Watch", "/grpc.health.v1.Health/Watch"],
)
async def test_who_may_not_come_in_holds_no_call(monkeypatch, tmp_path, method):
    """Calls are counted before anybody knows whose they are; those of strangers must end at once."""
    monkeypatch.setattr("phusong.collector.rpc.server.ALL_CALLS_COUNT_MAX", 4)
    async with Doors(DoorOptions(tmp_path)) as doors:
        await register(doors)
        address = f"127.0.0.1:{doors.grpc_port}"
        async with grpc.aio.insecure_channel(address) as channel:
            held = [held_call(channel, method) for _ in range(8)]
            codes = {await call.code() for call in held}

            receipt = await IngestStub(channel).Export(
                usage_batch(1, source="oss", operator="mobifone"), metadata=METADATA
            )

    assert codes <= {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED}
    assert receipt.accepted_count == 1


async def test_a_question_that_does_not_come_is_not_waited_for(tmp_path):
    limits = replace(DEFAULT_LIMITS, hello_timeout_s=0.3)
    async with (
        Doors(DoorOptions(tmp_path, limits=limits)) as doors,
        grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel,
    ):
        held = [held_call(channel, "/grpc.health.v1.Health/Check") for _ in range(100)]
        codes = [await call.code() for call in held]

        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service="phusong.v1.Ingest"))

    assert set(codes) == {
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
    assert codes.count(grpc.StatusCode.DEADLINE_EXCEEDED) == QUESTION_COUNT_MAX
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
