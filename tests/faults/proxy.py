"""A TCP proxy that does to a connection what networks do. One seed decides what happens to which connection, and at which byte.

Each direction of each connection draws its own fault. What passed before it arrived; nothing is ever changed or reordered:
TCP would not let that happen either.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections import Counter
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What goes wrong in one direction."""

    NOTHING = "nothing"
    CUT = "cut"  # both directions end in the middle of a packet
    RESET = "reset"  # the same, as a router does it: RST
    HALF_CLOSE = (
        "half-close"  # this direction ends, the other goes on; what would still come is lost
    )
    STALL = "stall"  # nothing passes for a while
    DELAY = "delay"  # every chunk is late
    TINY = "tiny"  # segments of one byte


CHUNK_BYTES = 65_536
# Log-uniform up to here: in the first packet, between packets, after hundreds of them.
FAULT_AT_BYTE_MAX = 65_536
STALL_S = (0.05, 1.0)
DELAY_S = (0.001, 0.03)
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Fault(NamedTuple):
    """`kind` from byte `at_byte` on (TINY: up to it), for `wait_s` where it takes time."""

    kind: Kind = Kind.NOTHING
    at_byte: int = 0
    wait_s: float = 0.0


def draw_fault(chance: random.Random, share: float) -> Fault:
    """Return what happens to one direction; with `share` how often anything does."""
    if chance.random() >= share:
        return Fault()
    kind = chance.choice([kind for kind in Kind if kind is not Kind.NOTHING])
    at_byte = int(FAULT_AT_BYTE_MAX ** chance.random())
    wait_s = chance.uniform(*(STALL_S if kind is Kind.STALL else DELAY_S))
    return Fault(kind, at_byte, wait_s)


class FaultProxy:
    """Use it with `async with`; `target_port` may change, as that of a service does that starts again."""

    def __init__(self, target_port: int, seed: object, share: float = 0.5) -> None:
        self.target_port = target_port
        self.share = share
        self.counts: Counter[Kind] = Counter()  # faults that took effect
        self._chance = random.Random(f"proxy {seed}")
        self._open: dict[asyncio.Task, tuple[asyncio.StreamWriter, ...]] = {}

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        tasks = list(self._open)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def calm(self) -> None:
        """Let everything pass from now on; connections that wait for their fault are cut, so that nobody meets it later."""
        self.share = 0.0
        self.cut_all()

    def cut_all(self) -> int:
        """End every connection now; return how many there were."""
        count = len(self._open)
        self.counts[Kind.CUT] += count
        for writers in list(self._open.values()):
            for writer in writers:
                writer.transport.abort()
        return count

    def draw(self) -> Fault:
        """Return the fault of the next direction."""
        return draw_fault(self._chance, self.share)

    async def _serve(self, reader, writer):
        task = asyncio.current_task()
        self._open[task] = (writer,)
        faults = self.draw(), self.draw()
        try:
            target_reader, target = await asyncio.open_connection("127.0.0.1", self.target_port)
            self._open[task] = (writer, target)
            for one in (writer, target):
                one.transport.set_write_buffer_limits(0)  # `drain` returns when the bytes have left
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, target, faults[0]))
                both.create_task(self._pump(target_reader, writer, faults[1]))
        except* OSError:
            pass  # who is connected sees the end, as with any network
        except* asyncio.CancelledError:
            pass  # the test is over
        finally:
            for one in self._open.pop(task):
                await drop(one)

    async def _pump(self, reader, writer, fault):
        """Pass bytes on in one direction. Raises OSError to end both."""
        passed = 0
        while data := await reader.read(CHUNK_BYTES):
            end = passed + len(data)
            if passed < fault.at_byte <= end and fault.kind in STRIKES:
                self.counts[fault.kind] += 1
                head = data[: fault.at_byte - passed]
                await _write(writer, head)
                await STRIKES[fault.kind](reader, writer, fault)
                if fault.kind is Kind.HALF_CLOSE:
                    return
                data = data[len(head) :]
            if fault.kind is Kind.DELAY:
                self.counts[Kind.DELAY] += 1
                await asyncio.sleep(fault.wait_s)
            if fault.kind is Kind.TINY and passed < fault.at_byte:
                self.counts[Kind.TINY] += 1
                for i in range(len(data)):
                    await _write(writer, data[i : i + 1])
                    await asyncio.sleep(0)
            else:
                await _write(writer, data)
            passed = end
        with contextlib.suppress(OSError):
            writer.write_eof()


async def drop(writer):
    """End a connection at once, and return when it is gone."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _write(writer, data):
    if writer.is_closing():
        raise ConnectionResetError("the other side is gone")
    writer.write(data)
    await writer.drain()


async def _cut(_reader, _writer, _fault):
    raise ConnectionAbortedError("cut")


async def _reset(_reader, writer, _fault):
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    raise ConnectionResetError("reset")


async def _half_close(reader, writer, _fault):
    writer.write_eof()
    while await reader.read(CHUNK_BYTES):
        pass  # into the void


async def _stall(_reader, _writer, fault):
    await asyncio.sleep(fault.wait_s)


STRIKES = {
    Kind.CUT: _cut,
    Kind.RESET: _reset,
    Kind.HALF_CLOSE: _half_close,
    Kind.STALL: _stall,
}
