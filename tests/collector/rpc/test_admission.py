"""What a gRPC client is told at the door that may not come in."""

import grpc
import pytest
import pytest_asyncio
from batches import usage_batch
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

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
