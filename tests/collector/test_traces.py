"""A batch's trace: read as W3C says, and found again in the log, in the receipt and in the spans of what was done."""

import asyncio
import string

import grpc
import pytest
import pytest_asyncio
from batches import TOPIC, usage_batch, usage_payload
from brokers import CAREFUL, Mosquitto, until
from hypothesis import given
from hypothesis import strategies as st
from mqtt_peer import Peer, publish

from phusong.collector.broker.options import BrokerOptions
from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.traces import TraceContext, Traces, read_traceparent
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.ingest_pb2_grpc import IngestStub

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CONTEXT = TraceContext(TRACE, SPAN, is_sampled=True)


class Recorder:
    """Wants every span of a trace, or all."""

    def __init__(self, *, wants_all=False):
        self.spans = []
        self._wants_all = wants_all

    def wants(self, parent):
        return self._wants_all or (parent is not None and parent.is_sampled)

    def record(self, span):
        self.spans.append(span)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([PARENT], CONTEXT),
        ([f"00-{TRACE}-{SPAN}-00"], CONTEXT._replace(is_sampled=False)),
        ([f"00-{TRACE}-{SPAN}-03"], CONTEXT),  # more flags than we know
        ([f"cc-{TRACE}-{SPAN}-01"], CONTEXT),  # a version to come
        ([f"cc-{TRACE}-{SPAN}-01-what-is-to-come"], CONTEXT),
        ([f"cc-{TRACE}-{SPAN}-01what"], None),
        ([f"00-{TRACE}-{SPAN}-01-more"], None),
        ([f"ff-{TRACE}-{SPAN}-01"], None),
        ([f"00-{'0' * 32}-{SPAN}-01"], None),
        ([f"00-{TRACE}-{'0' * 16}-01"], None),
        ([PARENT.upper()], None),
        ([PARENT[:-1]], None),
        ([f" {PARENT}"], None),
        ([f"{PARENT}\n"], None),
        ([""], None),
        ([], None),
        ([PARENT, PARENT], None),
    ],
)
def test_a_trace_context_is_what_the_standard_says(texts, expected):
    assert read_traceparent(texts) == expected


@given(st.text(alphabet=string.hexdigits + "-\n٣", max_size=60))
def test_any_text_is_a_context_or_none(text):
    context = read_traceparent([text])

    assert context is None or (len(context.trace_id), len(context.span_id)) == (32, 16)


def test_what_belongs_to_no_trace_is_not_noted():
    receipt = Receipt(refused_count=1)

    assert Traces().begin("grpc", ()) is None
    assert Traces(Recorder()).begin("grpc", ()) is None
    assert Traces().end(None, receipt) == Receipt(refused_count=1)


async def mosquitto_pub(port):
    """Publish poison that names a trace; return how that ended."""
    command = ("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-p", str(port), "-t", TOPIC)
    properties = ("-D", "publish", "user-property", "traceparent", PARENT)
    process = await asyncio.create_subprocess_exec(
        *(*command, "-m", "poison", *properties), stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()


@pytest_asyncio.fixture
async def traced(tmp_path):
    """Doors, and the spans recorded there."""
    recorder = Recorder()
    options = DoorOptions(tmp_path, open_loopback=True, tracer=recorder)
    async with Doors(options) as doors:
        yield doors, recorder.spans
        while Peer.open_peers:
            Peer.open_peers.pop().close()


def lines(caplog, event):
    return [record for record in caplog.records if vars(record).get("event") == event]


async def test_a_call_is_recorded_under_its_callers_span_and_its_receipt_names_the_trace(
    traced, caplog
):
    doors, spans = traced
    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
        export = IngestStub(channel).Export
        batch = usage_batch(1, source="oss", operator="viettel", rows=3)
        receipt = await export(batch, metadata=(("traceparent", PARENT),))
        silent = await export(batch)

    (span,) = spans
    assert (receipt.trace_id, silent.trace_id) == (TRACE, "")
    assert (span.name, span.parent, span.failure) == ("grpc batch", CONTEXT, "")
    assert span.fields["phusong.accepted"] == 3
    assert span.fields["phusong.journal_sequence"] == receipt.journal_sequence
    assert span.begin_ns < span.end_ns
    assert not lines(caplog, "batch_refused")


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_is_refused_by_grpc_is_logged_with_its_trace(traced, caplog, is_stream):
    doors, _ = traced
    poison = usage_batch(1, operator="viettel")  # of no source
    metadata = (("traceparent", PARENT),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
        if is_stream:
            (receipt,) = [
                receipt
                async for receipt in IngestStub(channel).ExportStream(
                    iter([poison]), metadata=metadata
                )
            ]
        else:
            receipt = await IngestStub(channel).Export(poison, metadata=metadata)

    (line,) = lines(caplog, "batch_refused")
    assert (line.trace_id, line.door, line.reason) == (TRACE, "grpc", "BAD_SOURCE")
    assert (line.is_kept_whole, line.sequence) == (True, receipt.journal_sequence)
    assert receipt.trace_id == TRACE


async def test_a_batch_that_is_not_taken_at_all_is_logged_with_its_trace(
    traced, caplog, monkeypatch
):
    doors, spans = traced
    monkeypatch.setattr(type(doors.intake), "_is_queue_full", True)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
        batch = usage_batch(1, source="oss", operator="viettel")
        with pytest.raises(grpc.aio.AioRpcError):
            await IngestStub(channel).Export(batch, metadata=(("traceparent", PARENT),))

    (line,) = lines(caplog, "batch_not_taken")
    assert line.trace_id == TRACE
    assert "the intake is full" in spans[0].failure


async def test_an_mqtt_message_names_its_trace_in_a_user_property(traced, caplog):
    doors, spans = traced
    peer = await Peer.connected(doors.mqtt_port)

    properties = [("other", "x"), ("traceparent", PARENT)]
    peer.send(publish(TOPIC, usage_payload(1, rows=2), 1, user_properties=properties))
    peer.send(publish(TOPIC, b"\x07", 2, user_properties=properties))
    peer.send(publish(TOPIC, b"\x07", 3))  # of no trace: nothing to say
    acks = [await peer.packet() for _ in range(3)]

    (line,) = lines(caplog, "batch_refused")
    assert (line.trace_id, line.door, line.reason) == (TRACE, "mqtt", "MALFORMED")
    assert line.source == "pgw-1"
    assert [span.fields["phusong.accepted"] for span in spans] == [2, 0]
    assert [ack.packet_id for ack in acks] == [1, 2, 3]


async def test_plain_messages_are_never_asked_for_a_trace(traced, monkeypatch):
    doors, _ = traced
    asked = []
    monkeypatch.setattr(doors.intake.traces, "begin", lambda *texts: asked.append(texts))
    peer = await Peer.connected(doors.mqtt_port)

    peer.send(*(publish(TOPIC, usage_payload(number), number) for number in range(1, 20)))
    for _ in range(1, 20):
        await peer.packet()

    assert asked == []


@pytest.mark.slow
async def test_mosquitto_pub_can_name_a_trace(traced, caplog):
    doors, _ = traced

    await mosquitto_pub(doors.mqtt_port)

    assert [line.trace_id for line in lines(caplog, "batch_refused")] == [TRACE]


@pytest.mark.slow
async def test_a_trace_comes_through_a_broker(tmp_path, caplog):
    with Mosquitto(tmp_path, *CAREFUL) as broker:
        options = BrokerOptions("127.0.0.1", "collector", broker.port, "5")
        async with Doors(DoorOptions(tmp_path / "data", broker=options)) as doors:
            await until(lambda: doors.not_ready() is None)
            assert await mosquitto_pub(broker.port) == 0
            await until(lambda: doors.broker_counts.acknowledged_count == 1)

    (line,) = lines(caplog, "batch_refused")
    assert (line.trace_id, line.door) == (TRACE, "broker")


async def test_commits_are_recorded_where_somebody_wants_them(tmp_path):
    recorder = Recorder(wants_all=True)
    async with (
        Doors(DoorOptions(tmp_path, open_loopback=True, tracer=recorder)) as doors,
        grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel,
    ):
        await IngestStub(channel).Export(usage_batch(1, source="oss", operator="viettel"))

    commit = next(span for span in recorder.spans if span.name == "journal commit")
    assert commit.fields["phusong.journal_sequence"] == 1
    assert commit.fields["phusong.payloads"] == 1
