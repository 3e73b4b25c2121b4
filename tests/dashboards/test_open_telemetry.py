"""Spans as a real receiver of OTLP gets them, by the SDK's own exporter."""

import sys
import time
from concurrent import futures

import grpc
import pytest
from batches import usage_batch
from brokers import free_port
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.traces import Span, TraceContext
from phusong.dashboards.commands.exits import Unusable
from phusong.dashboards.commands.traces_table import TracesTable, span_export
from phusong.dashboards.open_telemetry import SpanExport
from phusong.v1.ingest_pb2_grpc import IngestStub

TRACE, PARENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{PARENT_SPAN}-01"


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self):
        self.resources = {}
        self.spans = {}

    def Export(self, request, context):  # noqa: N802 - OTLP's name
        for resource in request.resource_spans:
            self.resources |= {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.setdefault(span.name, []).append(span)
        return trace_service_pb2.ExportTraceServiceResponse()


@pytest.fixture
def receiver():
    kept = Receiver()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(kept, server)
    kept.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield kept
    server.stop(None)


def attributes(span):
    return {a.key: a.value.int_value or a.value.string_value for a in span.attributes}


@pytest.mark.slow
async def test_a_call_is_a_child_of_its_callers_span_and_its_commit_has_one_too(receiver, tmp_path):
    export = SpanExport(receiver.endpoint, 1.0, time.time_ns)
    begin_ns = time.time_ns()
    async with (
        Doors(DoorOptions(tmp_path, open_loopback=True, tracer=export)) as doors,
        grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel,
    ):
        batch = usage_batch(1, source="oss", operator="viettel", rows=3)
        metadata = (("traceparent", PARENT),)
        receipt = await IngestStub(channel).Export(batch, metadata=metadata)
    export.close()

    (call,) = receiver.spans["grpc batch"]
    assert (call.trace_id.hex(), call.parent_span_id.hex()) == (TRACE, PARENT_SPAN)
    assert call.kind == trace_pb2.Span.SPAN_KIND_SERVER
    assert attributes(call)["phusong.accepted"] == 3
    assert begin_ns < call.start_time_unix_nano < call.end_time_unix_nano < time.time_ns()
    (commit,) = receiver.spans["journal commit"]
    assert commit.parent_span_id == b""
    assert attributes(commit)["phusong.journal_sequence"] == receipt.journal_sequence
    assert receiver.resources["service.name"] == "phusong"


def test_what_failed_is_marked_and_what_nobody_samples_is_not_wanted(receiver):
    export = SpanExport(receiver.endpoint, 0.0, time.time_ns)
    context = TraceContext(TRACE, PARENT_SPAN, is_sampled=True)
    now_ns = time.monotonic_ns()

    export.record(Span("mqtt batch", context, now_ns, now_ns + 5, {}, "the intake is full"))
    export.close()

    (span,) = receiver.spans["mqtt batch"]
    assert span.status.code == trace_pb2.Status.STATUS_CODE_ERROR
    assert span.status.message == "the intake is full"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 5
    assert export.wants(context)
    assert not export.wants(context._replace(is_sampled=False))
    assert not any(export.wants(None) for _ in range(1000))


def test_a_receiver_that_is_away_costs_neither_a_call_nor_the_end(monkeypatch):
    monkeypatch.setattr("phusong.dashboards.open_telemetry.EXPORT_TIMEOUT_S", 0.5)
    export = SpanExport(f"http://127.0.0.1:{free_port()}", 1.0, time.time_ns)

    for i in range(10_000):  # more than the queue holds
        export.record(Span("grpc batch", None, i, i + 1, {}))

    export.close()


def test_without_an_endpoint_there_are_no_spans_and_nothing_is_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "phusong.dashboards.open_telemetry", None)

    assert span_export(TracesTable()) is None
    with pytest.raises(Unusable, match=r"pip install 'phusong\[otel\]'"):
        span_export(TracesTable(endpoint="http://127.0.0.1:4317"))


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4317", "http://", "http://h/v1/traces", "h h"])
def test_an_endpoint_is_a_scheme_a_host_and_a_port(endpoint):
    with pytest.raises(ValueError, match="endpoint"):
        TracesTable(endpoint=endpoint)
