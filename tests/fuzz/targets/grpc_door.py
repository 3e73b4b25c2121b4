"""Any bytes at the real gRPC door: as a message of each method, or as HTTP/2 that is none. The first byte says which.

Whatever comes is answered with a receipt or with a status that we chose: UNKNOWN would be an exception nobody caught.
"""

import asyncio

import grpc
from batches import usage_payload
from decoding import told_by_kernels
from fuzz.opened import Opened

from phusong.v1.enforcement_pb2 import AcknowledgeRequest, WatchRequest
from phusong.v1.ingest_pb2 import Receipt

ANSWER_TIMEOUT_S = 20
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
CHOSEN = (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE)

opened = Opened()


async def dial() -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{opened.doors.grpc_port}")


channel = opened.run(dial())


async def export(message: bytes) -> None:
    """One batch, one receipt, and what it says is what the decoder says."""
    receipt = Receipt.FromString(await unary("Ingest/Export", message))
    assert_receipt(receipt, message)


async def export_stream(message: bytes) -> None:
    """As many receipts as messages, in their order."""
    messages = message.split(b"\xfe")[:20]
    call = channel.stream_stream("/phusong.v1.Ingest/ExportStream")(
        iter(messages), timeout=ANSWER_TIMEOUT_S
    )
    receipts = [Receipt.FromString(answer) async for answer in call]
    assert len(receipts) == len(messages)
    for receipt, sent in zip(receipts, messages, strict=True):
        assert_receipt(receipt, sent)


async def acknowledge(message: bytes) -> None:
    """Answered, whatever it is."""
    await unary("Enforcement/Acknowledge", message)


async def watch(message: bytes) -> None:
    """Refused at once, or open until the client has had enough."""
    call = channel.unary_stream("/phusong.v1.Enforcement/Watch")(message, timeout=ANSWER_TIMEOUT_S)
    waiting = asyncio.ensure_future(call.code())
    await asyncio.wait([waiting], timeout=0.02)
    call.cancel()
    code = await waiting
    assert code in (*CHOSEN, grpc.StatusCode.CANCELLED), (code, await call.details())


async def http_2(message: bytes) -> None:
    """A connection of its own is closed or kept, and no other one minds."""
    await raw(PREFACE + SETTINGS + message)


async def not_http_2(message: bytes) -> None:
    """The same without a preface."""
    await raw(message)


WAYS = (export, export_stream, acknowledge, watch, http_2, not_http_2)


async def unary(method: str, message: bytes) -> bytes:
    call = channel.unary_unary(f"/phusong.v1.{method}")(message, timeout=ANSWER_TIMEOUT_S)
    code = await call.code()
    assert code in CHOSEN, (code, await call.details())
    return await call if code == grpc.StatusCode.OK else b""


async def raw(content: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.doors.grpc_port)
    writer.write(content)
    writer.write_eof()
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await reader.read()
    except ConnectionError:
        pass  # the door hung up, as it may
    writer.close()
    await export(usage_payload(1))


def assert_receipt(receipt: Receipt, message: bytes) -> None:
    (said,) = told_by_kernels([message])
    counted = receipt.accepted_count + receipt.duplicate_count + receipt.refused_count
    if len(said) == 2:
        row_count = sum(map(len, said[1].values()))
        is_whole = any(row.kind == 0 for row in receipt.refused)  # no name, or none that may be
        assert counted == (1 if is_whole else row_count), (receipt, row_count)
    else:
        assert (counted, receipt.refused[0].reason) == (1, said[0]), (receipt, said)


def seeds() -> list[bytes]:
    """Return a message for each way."""
    batch = usage_payload(3, source="pgw-1", operator="viettel")
    headers, reset = b"\0\0\1\1\5\0\0\0\1\x82", b"\0\0\4\3\0\0\0\0\1\0\0\0\0"
    ping = b"\0\0\x08\6\0\0\0\0\0" + bytes(8)
    messages = (
        batch,
        batch + b"\xfe" + batch + b"\xfe\xfe\x0a",
        AcknowledgeRequest(operator="viettel", decision_keys=["a"]).SerializeToString(),
        WatchRequest(operator="viettel", after_position=1).SerializeToString(),
        headers + reset + ping,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    return [bytes([way]) + message for way, message in enumerate(messages)]


def one(data: bytes) -> None:
    """Send it, and see that everybody else is still served."""
    if data:
        opened.run(WAYS[data[0] % len(WAYS)](data[1:]))
