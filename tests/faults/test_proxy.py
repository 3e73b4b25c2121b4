"""The fault proxy does what it says, and nothing else."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest
from faults.proxy import Fault, FaultProxy, Kind, draw_fault, drop

SENT = bytes(range(256)) * 8


class Scripted(FaultProxy):
    """Faults as a test says, in the order in which directions ask."""

    def __init__(self, target_port, *faults):
        super().__init__(target_port, 0)
        self._faults = list(faults)

    def draw(self):
        return self._faults.pop(0) if self._faults else Fault()


class Echo:
    """A server that sends back what comes and remembers how it came."""

    def __init__(self):
        self.chunks = []
        self.end = asyncio.get_running_loop().create_future()

    async def serve(self, reader, writer):
        try:
            while data := await reader.read(65_536):
                self.chunks.append(data)
                writer.write(data)
                await writer.drain()
            self.end.set_result("closed")
        except ConnectionError:
            self.end.set_result("reset")
        finally:
            await drop(writer)

    @property
    def received(self):
        return b"".join(self.chunks)


@asynccontextmanager
async def echo_behind(*faults):
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    async with Scripted(server.sockets[0].getsockname()[1], *faults) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield echo, proxy, reader, writer
        await drop(writer)
    server.close()
    await server.wait_closed()


async def say(reader, writer, data=SENT):
    """Send, and return what comes back up to the end."""
    writer.write(data)
    writer.write_eof()
    back = b""
    try:
        while data := await asyncio.wait_for(reader.read(65_536), 20):
            back += data
    except ConnectionError:
        pass
    return back


async def test_without_a_fault_every_byte_passes_both_ways():
    async with echo_behind() as (echo, proxy, reader, writer):
        assert await say(reader, writer) == SENT
        assert await echo.end == "closed"

    assert not proxy.counts


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.RESET])
@pytest.mark.parametrize("at_byte", [1, 700, len(SENT)])
async def test_a_cut_comes_after_exactly_so_many_bytes(kind, at_byte):
    async with echo_behind(Fault(kind, at_byte)) as (echo, proxy, reader, writer):
        await say(reader, writer)
        end = await asyncio.wait_for(echo.end, 20)

    assert proxy.counts == {kind: 1}
    # A reset may overtake what the receiver has not read yet.
    assert echo.received == SENT[:at_byte] or (kind is Kind.RESET and end == "reset")


async def test_a_half_close_ends_one_direction_and_leaves_the_other():
    async with echo_behind(Fault(Kind.HALF_CLOSE, 100)) as (echo, proxy, reader, writer):
        assert await say(reader, writer) == SENT[:100]

    assert echo.received == SENT[:100]
    assert proxy.counts == {Kind.HALF_CLOSE: 1}


async def test_a_half_close_on_the_way_back_loses_answers_and_not_what_was_sent():
    async with echo_behind(Fault(), Fault(Kind.HALF_CLOSE, 100)) as (echo, _, reader, writer):
        assert await say(reader, writer) == SENT[:100]
        await asyncio.wait_for(echo.end, 20)

    assert echo.received == SENT


async def test_tiny_segments_carry_the_same_bytes():
    async with echo_behind(Fault(Kind.TINY, 10_000)) as (echo, proxy, reader, writer):
        assert await say(reader, writer) == SENT

    assert len(echo.chunks) > 100
    assert proxy.counts[Kind.TINY] > 0


@pytest.mark.parametrize("kind", [Kind.STALL, Kind.DELAY])
async def test_a_wait_loses_nothing(kind):
    async with echo_behind(Fault(kind, 10, 0.02)) as (_, proxy, reader, writer):
        assert await say(reader, writer) == SENT

    assert proxy.counts[kind] > 0


async def test_all_connections_can_be_cut_at_once():
    async with echo_behind() as (echo, proxy, reader, writer):
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        assert proxy.cut_all() == 1
        assert await reader.read() == b""
        await asyncio.wait_for(echo.end, 20)

    assert proxy.counts == {Kind.CUT: 1}


async def test_who_comes_while_the_target_is_away_sees_the_end():
    async with FaultProxy(1, 0) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await say(reader, writer) == b""
        await drop(writer)


def test_a_seed_draws_the_same_faults_again():
    def drawn(seed):
        chance = random.Random(seed)
        return [draw_fault(chance, 0.7) for _ in range(500)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert {fault.kind for fault in drawn(1)} == set(Kind)
    assert {draw_fault(random.Random(3), 0.0)} == {Fault()}
