"""The one road into the journal."""

import asyncio
import itertools
import shutil

import pytest
from batches import usage_batch, usage_payload
from google.protobuf import json_format

import phusong.collector.intake as intake_module
from phusong.collector.doors import ClockBehind, open_intake
from phusong.collector.intake import Overloaded
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalFailed, JournalLocked
from phusong.collector.memory import CACHE_NAME
from phusong.collector.topics import route_of_names, route_of_topic
from phusong.kernels.frame import PayloadKind, Route, Transport, decode_frame
from phusong.v1.ingest_pb2 import RowKind
from phusong.v1.journal_pb2 import RegistryEntry

ROUTE = route_of_names("viettel", "pgw-1", Transport.IMPORT)
REGISTRY_ROUTE = Route("", "registry", "", Transport.SERVICE, PayloadKind.REGISTRY)
JSON_ROUTE = ROUTE._replace(kind=PayloadKind.BATCH_JSON)


def journalled(data):
    """Return every (route, payload) in the journal, in order."""
    payloads = []
    for stored in read_frames(data / "journal"):
        frame = decode_frame(stored.body)
        places = zip(frame.route, frame.offset, frame.length, strict=True)
        payloads += [(frame.routes[int(r)], stored.body[o : o + n]) for r, o, n in places]
    return payloads


async def test_a_receipt_names_the_frame_that_holds_the_batch(tmp_path):
    async with open_intake(tmp_path) as opened:
        receipt = await opened.intake.submit(ROUTE, usage_payload(1, rows=3, boot_epoch=9))

        assert (receipt.source, receipt.boot_epoch, receipt.sequence) == ("pgw-1", 9, 1)
        assert (receipt.accepted_count, receipt.refused_count, receipt.journal_sequence) == (
            3,
            0,
            1,
        )
        assert journalled(tmp_path) == [(ROUTE, usage_payload(1, rows=3, boot_epoch=9))]


async def test_two_payloads_with_one_identity_in_one_commit_are_one_and_a_duplicate(tmp_path):
    async with open_intake(tmp_path) as opened:
        receipts = await asyncio.gather(
            *(opened.intake.submit(ROUTE, usage_payload(1, rows=2)) for _ in range(3))
        )

    assert [(r.accepted_count, r.duplicate_count) for r in receipts] == [(2, 0), (0, 2), (0, 2)]


async def test_the_same_batch_by_another_transport_is_a_duplicate(tmp_path):
    other = route_of_topic("phusong/v1/viettel/pgw-1/batch", Transport.MQTT)
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
        receipt = await opened.intake.submit(other, usage_payload(1))

    assert receipt.duplicate_count == 1


@pytest.mark.parametrize("has_cache", [True, False])
async def test_repeats_are_known_after_a_restart_with_and_without_the_cache(tmp_path, has_cache):
    for sequence in (1, 2):
        async with open_intake(tmp_path) as opened:
            await opened.intake.submit(ROUTE, usage_payload(sequence))
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with open_intake(tmp_path) as opened:
        receipts = [await opened.intake.submit(ROUTE, usage_payload(n)) for n in (1, 2, 3)]

    assert [r.duplicate_count for r in receipts] == [1, 1, 0]


async def test_a_journal_that_was_opened_and_took_nothing_opens_again(tmp_path):
    for _ in range(2):
        async with open_intake(tmp_path) as opened:
            assert opened.writer.sequence == 0


async def test_a_memory_of_frames_that_are_not_there_says_that_they_are_gone(tmp_path):
    other, data = tmp_path / "other", tmp_path / "data"
    async with open_intake(other) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
    async with open_intake(data) as opened:
        await opened.intake.submit(ROUTE, usage_payload(2))
    shutil.copy(other / "journal" / CACHE_NAME, data / "journal" / CACHE_NAME)

    with pytest.raises(JournalDamaged, match="sequence 1"):
        async with open_intake(data):
            pass


@pytest.mark.parametrize("place", [0, 40, -1])
async def test_a_torn_memory_is_not_believed(tmp_path, place):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
    cache = tmp_path / "journal" / CACHE_NAME
    content = bytearray(cache.read_bytes())
    content[place] ^= 1
    cache.write_bytes(content)

    async with open_intake(tmp_path) as opened:
        assert (await opened.intake.submit(ROUTE, usage_payload(1))).duplicate_count == 1


async def test_a_journal_from_the_future_is_not_written_under_the_present(tmp_path):
    async with open_intake(tmp_path, clock_ms=lambda: 2_000_000) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))

    with pytest.raises(ClockBehind, match="1970-01-01T00:33:20"):
        async with open_intake(tmp_path, clock_ms=lambda: 1_000_000):
            pass


async def test_json_is_the_same_batch_and_kept_as_it_came(tmp_path):
    text = json_format.MessageToJson(usage_batch(1, rows=2)).encode()
    async with open_intake(tmp_path) as opened:
        receipts = await asyncio.gather(
            opened.intake.submit(JSON_ROUTE, text),
            opened.intake.submit(JSON_ROUTE, b"{not json"),
            opened.intake.submit(ROUTE, usage_payload(2)),
            opened.intake.submit(ROUTE, usage_payload(1)),
        )

    assert [r.accepted_count for r in receipts] == [2, 0, 1, 0]
    assert receipts[1].refused[0].reason == "NOT_JSON"
    assert receipts[3].duplicate_count == 1
    assert journalled(tmp_path)[0] == (JSON_ROUTE, text)


@pytest.mark.parametrize(
    ("route", "payload", "reason"),
    [
        (ROUTE, b"\xff\xff\xff", None),
        (ROUTE, b"", "EMPTY"),
        (ROUTE, usage_payload(1, source="other"), "SOURCE_MISMATCH"),
        (route_of_topic("nonsense", Transport.MQTT), b"x", "BAD_TOPIC"),
        (route_of_topic("phusong/v1/Viettel/a/batch", Transport.MQTT), b"x", "BAD_OPERATOR"),
        (route_of_names("viettel", "", Transport.GRPC), b"x", "BAD_SOURCE"),
        (route_of_names("", "a", Transport.GRPC), b"x", "BAD_OPERATOR"),
    ],
)
async def test_poison_is_journalled_and_refused_with_its_reason(tmp_path, route, payload, reason):
    async with open_intake(tmp_path) as opened:
        receipt = await opened.intake.submit(route, payload)

    assert (receipt.accepted_count, receipt.refused_count) == (0, 1)
    assert receipt.refused[0].kind == RowKind.ROW_KIND_UNSPECIFIED
    assert reason in (None, receipt.refused[0].reason)
    assert journalled(tmp_path) == [(route, payload)]


async def test_rows_that_cannot_be_believed_are_named_and_the_first_hundred_listed(tmp_path):
    batch = usage_batch(1, rows=300)
    for row in range(0, 300, 2):
        batch.usage_readings[row].subscriber_key = 0
    async with open_intake(tmp_path) as opened:
        first = opened.intake.submit(ROUTE, usage_payload(7, rows=2))
        second = opened.intake.submit(ROUTE, batch.SerializeToString())
        first, receipt = await asyncio.gather(first, second)

    assert (first.accepted_count, first.refused_count) == (2, 0)
    assert (receipt.accepted_count, receipt.refused_count) == (150, 150)
    assert [row.row for row in receipt.refused] == list(range(0, 200, 2))
    assert {(row.kind, row.reason) for row in receipt.refused} == {
        (RowKind.ROW_KIND_USAGE, "KEY_MISSING")
    }


def sources_register(*names):
    lines = ["source,operator", *(f"{name},viettel" for name in names)]
    entry = RegistryEntry(registry="sources", file="sources.csv", content="\n".join(lines).encode())
    return entry.SerializeToString()


async def test_only_registered_sources_are_taken_once_there_is_a_register(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(REGISTRY_ROUTE, sources_register("other"))
        receipt = await opened.intake.submit(ROUTE, usage_payload(1))
        assert receipt.refused[0].reason == "UNKNOWN_SOURCE"

        await opened.intake.submit(REGISTRY_ROUTE, sources_register("pgw-1"))
        assert (await opened.intake.submit(ROUTE, usage_payload(1))).accepted_count == 1


@pytest.mark.parametrize("has_cache", [True, False])
async def test_the_register_of_sources_is_known_after_a_restart(tmp_path, has_cache):
    async with open_intake(tmp_path) as opened:
        refused = await opened.intake.submit(ROUTE, usage_payload(1))
        assert refused.accepted_count == 1
        await opened.intake.submit(REGISTRY_ROUTE, sources_register("other"))
    if not has_cache:
        (tmp_path / "journal" / CACHE_NAME).unlink()

    async with open_intake(tmp_path) as opened:
        receipt = await opened.intake.submit(ROUTE, usage_payload(2))
        repeated = await opened.intake.submit(ROUTE, usage_payload(1))

    assert receipt.refused[0].reason == "UNKNOWN_SOURCE"
    assert repeated.refused[0].reason == "UNKNOWN_SOURCE"


async def test_arrival_never_runs_backwards(tmp_path):
    # The first is asked when the journal is opened, the last ones when it is signed.
    times = itertools.chain([1000, 1000, 500], itertools.repeat(1500))
    async with open_intake(tmp_path, clock_ms=lambda: next(times)) as opened:
        for sequence in (1, 2, 3):
            await opened.intake.submit(ROUTE, usage_payload(sequence))

    assert [f.received_time_ms for f in read_frames(tmp_path / "journal")] == [1000, 1000, 1500]


async def test_after_a_restart_arrival_does_not_run_backwards_either(tmp_path):
    for time_ms in (1000, 500):
        async with open_intake(tmp_path, clock_ms=lambda: time_ms) as opened:  # noqa: B023 - used within the turn
            await opened.intake.submit(ROUTE, usage_payload(1))

    assert [f.received_time_ms for f in read_frames(tmp_path / "journal")] == [1000, 1000]


async def test_a_full_intake_says_when_to_come_again_and_takes_more_later(tmp_path, monkeypatch):
    monkeypatch.setattr(intake_module, "QUEUE_MAX_BYTES", 100)
    async with open_intake(tmp_path) as opened:
        waiting = opened.intake.send(ROUTE, usage_payload(1, rows=20))
        with pytest.raises(Overloaded) as overloaded:
            await opened.intake.submit(ROUTE, usage_payload(2))
        assert overloaded.value.retry_ms > 0

        await waiting
        await opened.intake.room()
        assert (await opened.intake.submit(ROUTE, usage_payload(2))).accepted_count == 1


async def test_an_import_keeps_many_in_flight_and_hears_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(intake_module, "IN_FLIGHT_PAYLOAD_COUNT_MAX", 16)
    payloads = ((ROUTE, usage_payload(n)) for n in range(1, 101))
    async with open_intake(tmp_path) as opened:
        sequences = [receipt.sequence async for receipt in opened.intake.receipts(payloads)]

    assert sequences == list(range(1, 101))


async def test_after_a_failed_commit_nothing_is_acknowledged_ever_again(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1))
        # Not a full disk, after which a commit is tried again (test_space.py).
        opened.writer._database.execute("PRAGMA query_only = ON")

        lost = [opened.intake.send(ROUTE, bytes(1 << 19)) for _ in range(4)]
        for outcome in await asyncio.gather(*lost, return_exceptions=True):
            assert isinstance(outcome, JournalFailed)
        with pytest.raises(JournalFailed):
            await opened.intake.submit(ROUTE, usage_payload(2))
        with pytest.raises(JournalFailed):
            await opened.intake.failure

    assert [receipt for _, receipt in journalled(tmp_path)] == [usage_payload(1)]


async def test_what_waits_at_the_end_is_committed(tmp_path):
    async with open_intake(tmp_path) as opened:
        waiting = [opened.intake.send(ROUTE, usage_payload(n)) for n in range(1, 50)]

    assert all(receipt.result().accepted_count == 1 for receipt in waiting)


async def test_a_journal_in_use_is_said_to_be(tmp_path):
    async with open_intake(tmp_path):
        with pytest.raises(JournalLocked):
            async with open_intake(tmp_path):
                pass


async def test_counts_say_what_became_of_everything(tmp_path):
    async with open_intake(tmp_path) as opened:
        await opened.intake.submit(ROUTE, usage_payload(1, rows=3))
        await opened.intake.submit(ROUTE, usage_payload(1, rows=3))
        await opened.intake.submit(ROUTE, b"")
        await opened.intake.submit(Route("", "x", "", Transport.MQTT, PayloadKind.UNREADABLE), b"y")
        counts = opened.intake.counts

    import_counts = counts.origins[(Transport.IMPORT, "viettel")]
    assert import_counts.payload_count == 3
    assert import_counts.payload_bytes == 2 * len(usage_payload(1, rows=3))
    assert (import_counts.accepted_row_count, import_counts.duplicate_row_count) == (3, 3)
    assert counts.refused == {
        ((Transport.IMPORT, "viettel"), "EMPTY"): 1,
        ((Transport.MQTT, ""), "BAD_TOPIC"): 1,
    }
    assert counts.commit_count == sum(counts.commit_seconds_counts) == 4
    assert (counts.queue_bytes, counts.queue_payload_count) == (0, 0)
