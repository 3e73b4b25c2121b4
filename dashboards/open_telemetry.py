"""Spans to whoever speaks OTLP, by OpenTelemetry's own SDK. The only file that knows it; it comes with `phusong[otel]`."""

import random
import threading
import time
from collections.abc import Callable
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

from phusong.collector.traces import Span, TraceContext

# What a receiver that is away may cost: the rest is dropped, and that is said.
QUEUE_COUNT_MAX = 2048
# One attempt, also the last one when the service ends.
EXPORT_TIMEOUT_S = 5.0


class SpanExport:
    """Wants a share of what happens, and everything whose caller records it. Any thread."""

    def __init__(self, endpoint: str, sample_ratio: float, clock_ns: Callable[[], int]) -> None:
        """Connect when there is something to send. `clock_ns` is the Unix time; http:// is without TLS."""
        self._sample_ratio = sample_ratio
        self._clock_ns = clock_ns
        exporter = OTLPSpanExporter(
            endpoint=endpoint,
            insecure=not endpoint.startswith("https://"),
            timeout=EXPORT_TIMEOUT_S,
        )
        resource = Resource.create(
            {"service.name": "phusong", "service.version": version("phusong")}
        )
        # Sampling was done before; nothing is told to other libraries by a global provider.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE_COUNT_MAX)
        )
        self._tracer = self._provider.get_tracer("phusong")

    def wants(self, parent: TraceContext | None) -> bool:
        """Tell whether something that begins now shall be recorded: as its caller does, else by the share."""
        if parent is not None:
            return parent.is_sampled
        return random.random() < self._sample_ratio  # noqa: S311 - nobody gains by guessing it

    def record(self, span: Span) -> None:
        """Queue a span; it goes out with others."""
        # Monotonic times become those of the wall clock as it stands now.
        ahead_ns = self._clock_ns() - time.monotonic_ns()
        recorded = self._tracer.start_span(
            span.name,
            context=trace.set_span_in_context(_remote(span.parent)) if span.parent else None,
            kind=SpanKind.SERVER if span.name.endswith("batch") else SpanKind.INTERNAL,
            attributes=dict(span.fields),
            start_time=span.begin_ns + ahead_ns,
        )
        if span.failure:
            recorded.set_status(Status(StatusCode.ERROR, span.failure))
        recorded.end(end_time=span.end_ns + ahead_ns)

    def close(self) -> None:
        """Send what waits. Blocks for as long as one attempt may take; what is not sent by then is gone."""
        # The SDK would try for half a minute.
        closing = threading.Thread(
            target=self._provider.shutdown, name="phusong-traces", daemon=True
        )
        closing.start()
        closing.join(EXPORT_TIMEOUT_S + 1)


def _remote(parent: TraceContext) -> NonRecordingSpan:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    context = SpanContext(
        int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags
    )
    return NonRecordingSpan(context)
