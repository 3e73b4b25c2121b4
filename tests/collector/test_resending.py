"""Decisions over real doors: sent again until they are acknowledged, and still after a restart."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from batches import TIME_MS, decision
from mqtt5 import SubscribePacket, TopicFilter
from mqtt_peer import Peer

from phusong.collector.doors import DoorOptions, Doors
from phusong.collector.journal.reader import read_frames
from phusong.collector.memory import CACHE_NAME
from phusong.collector.outstanding import RESEND_AFTER_MS
from phusong.kernels.frame import PayloadKind, decode_frame
from phusong.v1.enforcement_pb2 import (
    AcknowledgeRequest,
    Decision,
    DecisionsSent,
    WatchRequest,
)
from phusong.v1.enforcement_pb2_grpc import EnforcementStub

TOPIC = "phusong/v1/viettel/decisions"


class Clock:
    def __init__(self):
        self.now_ms = TIME_MS

    def __call__(self):
        return self.now_ms


@asynccontextmanager
async def opened(folder, clock):
    async with Doors(DoorOptions(folder, open_loopback=True), clock) as doors:
        try:
            yield doors
        finally:
            while Peer.open_peers:  # also of a test that failed
                Peer.open_peers.pop().close()


async def subscribed(doors, client_id="peer"):
    peer = await Peer.connected(doors.mqtt_port, client_id, username="viettel")
    peer.send(SubscribePacket(1, [TopicFilter(TOPIC)]))
    await peer.packet()
    return peer


async def heard(peer):
    return Decision.FromString((await peer.packet()).payload)


def sendings(folder):
    """Return attempt and positions of every journalled sending."""
    found = []
    for stored in read_frames(folder / "journal"):
        frame = decode_frame(stored.body)
        for number, offset, length in zip(frame.route, frame.offset, frame.length, strict=True):
            if frame.routes[int(number)].kind == PayloadKind.DECISIONS_SENT:
                message = DecisionsSent.FromString(stored.body[offset : offset + length])
                found.append((message.attempt, list(message.positions)))
    return found


async def noted(folder, count):
    while len(sendings(folder)) < count:  # noqa: ASYNC110 - another thread writes it
        await asyncio.sleep(0.02)


async def test_a_decision_comes_again_under_its_key_until_it_is_acknowledged(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as doors:
        peer = await subscribed(doors)
        await doors.board.publish([decision("a")])
        first = await heard(peer)

        clock.now_ms += RESEND_AFTER_MS[0]
        assert await heard(peer) == first
        clock.now_ms += RESEND_AFTER_MS[1]
        assert await heard(peer) == first
        async with grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel:
            request = AcknowledgeRequest(operator="viettel", decision_keys=["a"])
            answer = await EnforcementStub(channel).Acknowledge(request)
        clock.now_ms += RESEND_AFTER_MS[-1]
        await doors.board.publish([decision("b", sim=8)])

        assert answer.acknowledged_count == 1
        assert (await heard(peer)).decision_key == "b"
    assert sendings(tmp_path) == [(1, [1]), (2, [1]), (3, [1]), (1, [2])]


async def test_everybody_who_watches_hears_it_again(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as doors:
        onlooker, actor = await subscribed(doors), await subscribed(doors, "actor")
        await doors.board.publish([decision("a")])
        await heard(onlooker), await heard(actor)

        clock.now_ms += RESEND_AFTER_MS[0]

        assert (await heard(onlooker)).position == 1
        assert (await heard(actor)).position == 1


async def test_who_comes_first_hears_what_nobody_has_heard(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as doors:
        await doors.board.publish([decision("a"), decision("b", sim=8)])

        peer = await subscribed(doors)

        assert [(await heard(peer)).decision_key for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize("has_cache", [True, False])
async def test_after_a_restart_it_goes_on_where_it_was(tmp_path, has_cache):
    clock = Clock()
    async with opened(tmp_path, clock) as doors:
        peer = await subscribed(doors)
        await doors.board.publish([decision("a"), decision("b", sim=8)])
        await heard(peer), await heard(peer)
        await noted(tmp_path, 1)
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with (
        opened(tmp_path, clock) as doors,
        grpc.aio.insecure_channel(f"127.0.0.1:{doors.grpc_port}") as channel,
    ):
        stub = EnforcementStub(channel)
        request = AcknowledgeRequest(operator="viettel", decision_keys=["a"])
        await stub.Acknowledge(request)
        watch = stub.Watch(WatchRequest(operator="viettel", after_position=2))
        clock.now_ms += RESEND_AFTER_MS[0]

        again = await anext(aiter(watch))

        assert (again.decision_key, again.position) == ("b", 2)
        watch.cancel()
    assert sendings(tmp_path) == [(1, [1, 2]), (2, [2])]
