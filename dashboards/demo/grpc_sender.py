"""An operator's gRPC client: unary Export with many calls in flight; waits and sends again when told to."""

import asyncio
from collections.abc import Callable, Iterator

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from phusong.dashboards.demo.messages import Message, SendingFailed
from phusong.v1.ingest_pb2 import Receipt

IN_FLIGHT_COUNT = 8
ACKNOWLEDGED_WITHIN_S = 180.0  # as for MQTT: the first batches may wait for a compiler
# "Not taken, send again after the delay": see ingest.proto.
RETRIED = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
RETRY_DEFAULT_S = 0.25
RETRY_COUNT_MAX = 100
DETAILS_KEY = "grpc-status-details-bin"  # where gRPC carries a google.rpc.Status


async def send_by_grpc(
    port: int, messages: list[Message], acknowledged: Callable[[Message], None]
) -> None:
    """Export the messages of one source; call `acknowledged` as each receipt comes.

    Payloads go as they are, garbage too: a refusal is an answer. Raises SendingFailed when there is none.
    """
    waiting = iter(messages)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(
            "/phusong.v1.Ingest/Export", response_deserializer=Receipt.FromString
        )
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT_COUNT):
                    group.create_task(_export(export, waiting, acknowledged))
        except* grpc.aio.AioRpcError as errors:
            why = errors.exceptions[0]
            raise SendingFailed(f"{messages[0].source.name} by gRPC: {why}") from None


async def _export(
    export: grpc.aio.UnaryUnaryMultiCallable,
    waiting: Iterator[Message],
    acknowledged: Callable[[Message], None],
) -> None:
    for message in waiting:
        for attempt in range(RETRY_COUNT_MAX + 1):
            try:
                await export(message.payload, timeout=ACKNOWLEDGED_WITHIN_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                    break  # kept and refused: not to be sent again
                if error.code() not in RETRIED or attempt == RETRY_COUNT_MAX:
                    raise
                await asyncio.sleep(retry_delay_s(error))
            else:
                break
        acknowledged(message)


def retry_delay_s(error: grpc.aio.AioRpcError) -> float:
    """Return how long the service asks to wait, in the RetryInfo of its answer."""
    for key, value in error.trailing_metadata() or ():
        if key != DETAILS_KEY:
            continue
        for detail in Status.FromString(value).details:
            retry = RetryInfo()
            if detail.Unpack(retry):
                delay_s: float = retry.retry_delay.ToTimedelta().total_seconds()
                return delay_s
    return RETRY_DEFAULT_S
