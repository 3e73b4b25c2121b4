"""What the enforcement point is told."""

import asyncio

import pytest
from batches import decision

from phusong.collector.doors import open_intake
from phusong.collector.journal.reader import read_frames
from phusong.collector.memory import CACHE_NAME
from phusong.kernels.frame import PayloadKind, Transport, decode_frame
from phusong.v1.enforcement_pb2 import AcknowledgeRequest, Decision


def positions(board, operator):
    payloads = board.of(operator).after(0, 1000)
    return [(d.position, d.decision_key) for d in map(Decision.FromString, payloads)]


async def test_positions_are_gapless_per_operator(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.board.publish([decision("a"), decision("b", "mobifone"), decision("c")])

        assert positions(opened.board, "viettel") == [(1, "a"), (2, "c")]
        assert positions(opened.board, "mobifone") == [(1, "b")]


async def test_the_same_key_is_published_once(tmp_path):
    async with open_intake(tmp_path) as opened:
        assert await opened.board.publish([decision("a"), decision("a")]) == 1
        assert await opened.board.publish([decision("a"), decision("b")]) == 1

        assert positions(opened.board, "viettel") == [(1, "a"), (2, "b")]


async def test_a_decision_is_in_the_journal_before_anyone_hears_of_it(tmp_path):
    heard = []
    async with open_intake(tmp_path) as opened:
        opened.board.of("viettel").read(0, lambda: heard.append(opened.writer.sequence))
        await opened.board.publish([decision("a")])

    assert heard == [1]
    frame = decode_frame(next(read_frames(tmp_path / "journal")).body)
    (route,) = frame.routes.values()
    assert (route.kind, route.transport) == (PayloadKind.DECISION, Transport.SERVICE)


@pytest.mark.parametrize("has_cache", [True, False])
async def test_kept_decisions_are_there_after_a_restart(tmp_path, has_cache):
    async with open_intake(tmp_path) as opened:
        await opened.board.publish([decision("a"), decision("b")])
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with open_intake(tmp_path) as opened:
        assert await opened.board.publish([decision("b"), decision("c")]) == 1
        assert positions(opened.board, "viettel") == [(1, "a"), (2, "b"), (3, "c")]


async def test_names_that_readers_ask_for_are_forgotten_with_the_last_reader(tmp_path):
    async with open_intake(tmp_path) as opened:
        board = opened.board
        watches = [board.watch(name, 0, asyncio.Event()) for name in ("a", "b", "b")]
        waiting = [asyncio.ensure_future(anext(watch)) for watch in watches]
        await asyncio.sleep(0)
        assert set(board._operators) == {"a", "b"}

        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        request = AcknowledgeRequest(operator="c", decision_keys=["k"])
        assert await board.acknowledge(request, Transport.GRPC) == 0

        assert board._operators == {}


async def test_an_operator_with_decisions_is_kept_when_its_last_reader_goes(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.board.publish([decision("a")])
        reader = opened.board.of("viettel").read(0, print)
        opened.board.leave("viettel", reader)

        assert positions(opened.board, "viettel") == [(1, "a")]
