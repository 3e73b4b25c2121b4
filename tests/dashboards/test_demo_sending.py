"""The demo's clients, against a real broker and a real gRPC server."""

import shutil
import socket
import subprocess
import time

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from phusong.dashboards.demo.messages import Message, Outbox, SendingFailed, source_of
from phusong.dashboards.demo.sending import progress_bar, send_all
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.telemetry_pb2 import Batch, UsageReading

MESSAGE_COUNT = 50


def messages_of(operator: str, kind: str) -> list[Message]:
    outbox = Outbox(source_of(operator, kind))
    for key in range(1, MESSAGE_COUNT + 1):
        outbox.add(usage=[UsageReading(subscriber_key=key)])
    return outbox.messages


@pytest.fixture
def broker(tmp_path):
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed; `make debian` installs it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nlog_type none\n")
    with subprocess.Popen(["mosquitto", "-c", str(configuration)]) as process:
        while not is_open(port):
            assert process.poll() is None
            time.sleep(0.01)
        yield port
        process.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def not_taken() -> tuple[str, bytes]:
    """The detail that says when to come again."""
    detail = Any()
    delay = Duration()
    delay.FromMilliseconds(1)
    detail.Pack(RetryInfo(retry_delay=delay))
    return "grpc-status-details-bin", Status(details=[detail]).SerializeToString()


class Exports:
    """A gRPC server that keeps what it is sent, and first refuses what it is told to."""

    def __init__(self, refusals: list[grpc.StatusCode]) -> None:
        self.refusals = refusals
        self.sequences: list[int] = []
        self.sent_again_count = 0

    async def export(self, payload: bytes, context: grpc.aio.ServicerContext) -> Receipt:
        if self.refusals:
            self.sent_again_count += 1
            code = self.refusals.pop()
            await context.abort(code, "not now", trailing_metadata=(not_taken(),))
        self.sequences.append(Batch.FromString(payload).sequence)
        return Receipt()

    async def serve(self) -> tuple[grpc.aio.Server, int]:
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(
            self.export, response_serializer=Receipt.SerializeToString
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("phusong.v1.Ingest", {"Export": handler}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, port


async def send_to(exports: Exports, messages: list[Message]) -> list[float]:
    server, port = await exports.serve()
    acknowledged: list[float] = []
    try:
        await send_all(messages, mqtt_port=1, grpc_port=port, advance=acknowledged.append)
    finally:
        await server.stop(None)
    return acknowledged


async def test_every_mqtt_message_is_acknowledged_once(broker) -> None:
    acknowledged: list[float] = []
    sent = messages_of("viettel", "radius") + messages_of("mobifone", "radius")

    await send_all(sent, mqtt_port=broker, grpc_port=1, advance=acknowledged.append)

    assert len(acknowledged) == len(sent)


async def test_every_batch_is_exported_once_when_nothing_goes_wrong() -> None:
    exports = Exports([])

    acknowledged = await send_to(exports, messages_of("viettel", "core"))

    assert sum(acknowledged) == MESSAGE_COUNT
    assert sorted(exports.sequences) == list(range(1, MESSAGE_COUNT + 1))


async def test_a_batch_that_was_not_taken_is_sent_again_after_the_delay() -> None:
    exports = Exports([grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE] * 5)

    acknowledged = await send_to(exports, messages_of("viettel", "core"))

    assert exports.sent_again_count == 10
    assert sum(acknowledged) == MESSAGE_COUNT
    assert sorted(exports.sequences) == list(range(1, MESSAGE_COUNT + 1))


async def test_a_batch_that_was_refused_is_not_sent_again() -> None:
    exports = Exports([grpc.StatusCode.INVALID_ARGUMENT])

    acknowledged = await send_to(exports, messages_of("viettel", "core"))

    assert sum(acknowledged) == MESSAGE_COUNT
    assert len(exports.sequences) == MESSAGE_COUNT - 1


async def test_a_service_that_is_broken_ends_the_sending() -> None:
    exports = Exports([grpc.StatusCode.INTERNAL])

    with pytest.raises(SendingFailed, match="viettel-core by gRPC"):
        await send_to(exports, messages_of("viettel", "core"))


async def test_a_door_that_is_closed_ends_the_sending() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

        with pytest.raises(SendingFailed, match="viettel-radius by MQTT"):
            await send_all(
                messages_of("viettel", "radius"), mqtt_port=port, grpc_port=1, advance=print
            )


def test_where_nobody_watches_progress_is_a_line(capsys) -> None:
    with progress_bar("sent", 10) as advance:
        advance(4)
        advance(6)

    assert capsys.readouterr().err == "sent: 10 of 10\n"
