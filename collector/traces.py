"""The trace a batch belongs to: W3C trace context in, into the log and the receipt, and out again as spans where somebody wants them.

A batch without a trace costs nothing here but being asked. Who exports spans is the caller's; a span's times are monotonic.
"""

import logging
import re
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from phusong.v1.ingest_pb2 import Receipt, RowKind

log = logging.getLogger(__name__)

# The name of the gRPC metadata and of the MQTT 5 user property: https://www.w3.org/TR/trace-context/, 3.2.
TRACEPARENT = "traceparent"
FORM = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL
)
VERSION_KNOWN, VERSION_NONE = "00", "ff"
SAMPLED = 0x01


class TraceContext(NamedTuple):
    """Which trace, and under which of its spans."""

    trace_id: str  # 32 hexadecimal digits
    span_id: str  # 16
    is_sampled: bool


class Span(NamedTuple):
    """Something that was done, from when to when (`time.monotonic_ns`)."""

    name: str
    parent: TraceContext | None
    begin_ns: int
    end_ns: int
    fields: dict[str, str | int]
    failure: str = ""


class Tracer(Protocol):
    """Wants some spans. Any thread."""

    def wants(self, parent: TraceContext | None) -> bool:
        """Tell whether something that begins now shall be recorded."""

    def record(self, span: Span) -> None:
        """Take a span that has ended."""

    def close(self) -> None:
        """Send what waits; the process ends."""


class BatchTrace(NamedTuple):
    """A batch under way that belongs to a trace, or that is recorded."""

    door: str
    context: TraceContext | None
    begin_ns: int
    is_wanted: bool


def read_traceparent(texts: Sequence[str]) -> TraceContext | None:
    """Return the context in a sender's `traceparent`s, None where there is none, more than one or a wrong one.

    A version we do not know is read as far as it is like ours, as the standard asks.
    """
    match = FORM.fullmatch(texts[0]) if len(texts) == 1 else None
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == VERSION_NONE or (version == VERSION_KNOWN and more):
        return None
    if not int(trace_id, 16) or not int(span_id, 16):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & SAMPLED))


class Traces:
    """Notes what becomes of batches that belong to a trace."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        """Without a tracer nothing is recorded; what is refused is logged with its trace all the same."""
        self.tracer = tracer

    def begin(self, door: str, texts: Sequence[str]) -> BatchTrace | None:
        """Return what to end a batch with, None where nothing of it is to be noted."""
        if not texts and self.tracer is None:
            return None
        context = read_traceparent(texts) if texts else None
        is_wanted = self.tracer is not None and self.tracer.wants(context)
        if context is None and not is_wanted:
            return None
        return BatchTrace(door, context, time.monotonic_ns(), is_wanted)

    def end(self, trace: BatchTrace | None, receipt: Receipt) -> Receipt:
        """Note a receipt, and return it with the trace it belongs to."""
        if trace is None:
            return receipt
        mark(trace.door, trace.context, receipt)
        if trace.is_wanted:
            fields: dict[str, str | int] = {
                "phusong.source": receipt.source,
                "phusong.journal_sequence": receipt.journal_sequence,
                "phusong.accepted": receipt.accepted_count,
                "phusong.duplicate": receipt.duplicate_count,
                "phusong.refused": receipt.refused_count,
            }
            self._record(trace, fields)
        return receipt

    def fail(self, trace: BatchTrace | None, reason: str) -> None:
        """Note that a batch was not taken at all."""
        if trace is None:
            return
        if trace.context is not None:
            log.warning(
                "%s: a batch was not taken: %s",
                *(trace.door, reason),
                extra={
                    "event": "batch_not_taken",
                    "trace_id": trace.context.trace_id,
                    "door": trace.door,
                    "reason": reason,
                },
            )
        if trace.is_wanted:
            self._record(trace, {}, reason)

    def _record(self, trace: BatchTrace, fields: dict[str, str | int], failure: str = "") -> None:
        assert self.tracer is not None
        now_ns = time.monotonic_ns()
        name = f"{trace.door} batch"
        self.tracer.record(Span(name, trace.context, trace.begin_ns, now_ns, fields, failure))


def mark(door: str, context: TraceContext | None, receipt: Receipt) -> Receipt:
    """Return a receipt with the trace it belongs to; what it refuses is logged with that."""
    if context is not None:
        receipt.trace_id = context.trace_id
        if receipt.refused_count:
            _log_refused(door, context, receipt)
    return receipt


def _log_refused(door: str, context: TraceContext, receipt: Receipt) -> None:
    """Say which batch of a trace was refused, whole (it is kept as poison) or in part."""
    first = receipt.refused[0]
    is_whole = first.kind == RowKind.ROW_KIND_UNSPECIFIED
    log.warning(
        "%s: %s of source %r refused (%s); `phusong journal quarantine` shows it at sequence %d",
        *(door, "a batch" if is_whole else f"{receipt.refused_count} rows of a batch"),
        *(receipt.source, first.reason, receipt.journal_sequence),
        extra={
            "event": "batch_refused",
            "trace_id": context.trace_id,
            "door": door,
            "source": receipt.source,
            "reason": first.reason,
            "refused_count": receipt.refused_count,
            "is_kept_whole": is_whole,
            "sequence": receipt.journal_sequence,
        },
    )
