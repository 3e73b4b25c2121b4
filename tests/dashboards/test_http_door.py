"""The HTTP door against clients that take their time."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import phusong.dashboards.http_door as http_door_module
from phusong.collector.admission.doorkeeper import Doorkeeper
from phusong.collector.admission.limits import Limits
from phusong.collector.admission.listener import listening_sockets
from phusong.collector.routes import RouteTable
from phusong.dashboards.http_door import http_door

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def page(_):
    return PlainTextResponse("x" * 40_000_000)


async def small(_):
    return PlainTextResponse("hello")


@asynccontextmanager
async def opened(**limits):
    """Open the door; yields its port and what it counts."""
    keeper = Doorkeeper(RouteTable(), Limits(**limits), is_loopback_open=False)
    sockets = listening_sockets("http", "127.0.0.1", 0)
    app = Starlette(routes=[Route("/", small), Route("/large", page)])
    async with http_door(app, sockets, keeper, None):
        yield sockets[0].getsockname()[1], keeper.denied


@pytest_asyncio.fixture
async def door():
    async with opened() as found:
        yield found


async def exchange(port, *chunks, pause_s=0.0):
    """Send chunks; return what came until the end, "" when the connection was cut."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for chunk in chunks:
            writer.write(chunk)
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_is_answered_and_the_connection_kept_for_the_next(door):
    port, denied = door

    answer = await exchange(port, GET, GET[:10], GET[10:], pause_s=0.02)

    assert answer.count(b"hello") == 2  # then uvicorn's keep-alive ends it
    assert not denied


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [b"GET"],
        [GET[:-2], *[b"a: b\r\n"] * 200],  # a header at a time
        [GET, *[b"x"] * 200],  # the next request never ends
        [b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n", *[b"x"] * 20],
    ],
)
async def test_who_never_finishes_a_request_is_cut_off(door, monkeypatch, chunks):
    port, denied = door
    monkeypatch.setattr(http_door_module, "REQUEST_TIMEOUT_S", 0.3)

    await exchange(port, *chunks, pause_s=0.05)

    assert denied == {("http", "request_timeout"): 1}
    assert b"hello" in await exchange(
        port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    )


async def test_who_does_not_read_the_answer_is_cut_off(door, monkeypatch):
    port, denied = door
    monkeypatch.setattr(http_door_module, "RESPONSE_TIMEOUT_S", 0.3)
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(GET.replace(b"GET /", b"GET /large"))

    for _ in range(500):
        if denied:
            break
        await asyncio.sleep(0.02)

    assert denied == {("http", "response_timeout"): 1}
    writer.close()


async def test_a_head_without_end_is_refused_in_words(door):
    port, _ = door

    assert b"400 Bad Request" in await exchange(port, b"GET / HTTP/1.1\r\na: " + b"b" * 100_000)


async def test_one_connection_too_many_is_told_so():
    async with opened(http_connections=1) as (port, denied):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)

        assert b"503" in await exchange(port)
        assert denied == {("http", "too_many_connections"): 1}
        writer.close()
        await asyncio.sleep(0.05)
        answer = await exchange(port, GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert b"hello" in answer
