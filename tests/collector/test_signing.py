"""The journal is signed and sealed while it is written."""

import asyncio
import shutil

import pytest

import phusong.collector.signing as signing_module
from phusong.collector.doors import DoorOptions, Doors, open_intake
from phusong.collector.journal.notary import Notary
from phusong.collector.journal.patrol import Patrol
from phusong.collector.journal.reader import read_frames
from phusong.collector.journal.segment import JournalDamaged
from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.note import decode_head, decode_note, split_notes

ROUTE = Route("viettel", "phone-1", "", Transport.GRPC, PayloadKind.BATCH)


def heads(data):
    return [
        decode_head(decode_note(content).text)
        for path in sorted((data / "checkpoints").glob("*"))
        for content in split_notes(path.read_bytes())
    ]


async def until(fact):
    async with asyncio.timeout(60):
        while not fact():  # noqa: ASYNC110 - the fact is the product's, which tells nobody
            await asyncio.sleep(0.02)


async def take(data, count):
    async with open_intake(data, lambda: 1_633_064_400_000) as (_, intake, _, _):
        for _ in range(count):
            await intake.submit(ROUTE, b"anything")


async def test_everything_acknowledged_is_inside_a_signed_head_after_a_clean_stop(tmp_path):
    await take(tmp_path, 3)
    await take(tmp_path, 2)

    frames = list(read_frames(tmp_path / "journal"))
    assert heads(tmp_path)[-1].last == len(frames) == 5
    assert heads(tmp_path)[-1].chain == frames[-1].chain


async def test_finished_segments_are_sealed_beside_the_intake(tmp_path):
    with JournalWriter(tmp_path / "journal", segment_max_bytes=1) as writer:
        for i in range(3):
            writer.append([NewFrame(i, b"")])

    await take(tmp_path, 1)

    assert len(list((tmp_path / "journal").glob("*.zst"))) >= 1
    assert len(list(read_frames(tmp_path / "journal"))) == 4


async def test_heads_are_signed_between_the_segments_of_a_long_sealing(tmp_path):
    with JournalWriter(tmp_path / "journal", segment_max_bytes=1) as writer:
        for i in range(4):
            writer.append([NewFrame(i, b"")])
        notary = Busy(tmp_path, writer)
        stop = asyncio.Event()
        work = asyncio.create_task(
            signing_module._work(
                signing_module.Signing(), notary, Patrol(writer.folder, notary.public), stop
            )
        )
        await until(lambda: len(list(writer.folder.glob("*.zst"))) == 3)
        stop.set()
        await work

    assert [head.last for head in heads(tmp_path)] == [5, 6, 7]


class Busy(Notary):
    """Seals a journal to which another frame comes during each sealing."""

    def __init__(self, data, writer):
        super().__init__(data, writer.folder, writer.journal, lambda: 1_633_064_400_000)
        self._writer = writer

    def seal_next(self):
        self._writer.segment_max_bytes = 1 << 30
        self._writer.append([NewFrame(self._writer.sequence, b"")])
        return super().seal_next()


async def test_a_journal_behind_its_signed_head_is_not_opened(tmp_path):
    await take(tmp_path, 3)
    with JournalWriter(tmp_path / "journal") as writer:
        writer._database.execute("DELETE FROM frame WHERE sequence = 3")
    for cache in (tmp_path / "journal").glob("collector-memory*"):
        cache.unlink()

    with pytest.raises(JournalDamaged, match="signed at sequence 3"):
        await take(tmp_path, 1)


async def test_signing_that_fails_for_long_is_not_ready_and_mends_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(signing_module, "SIGN_EVERY_S", 0.05)
    monkeypatch.setattr(signing_module, "LATE_S", 0.2)
    async with Doors(DoorOptions(tmp_path)) as doors:
        await doors.intake.submit(ROUTE, b"anything")
        shutil.rmtree(tmp_path / "checkpoints", ignore_errors=True)
        (tmp_path / "checkpoints").write_bytes(b"in the way")
        await doors.intake.submit(ROUTE, b"anything")
        await until(lambda: doors.not_ready() is not None)

        assert "has not been signed for" in doors.not_ready()
        assert doors.signing.failure_count > 0
        assert doors.signing.signed_age_s > 0.2

        (tmp_path / "checkpoints").unlink()
        await until(lambda: doors.not_ready() is None)
    assert heads(tmp_path)[-1].last == 2


async def test_sealing_that_fails_for_long_is_not_ready_and_mends_itself(tmp_path, monkeypatch):
    with JournalWriter(tmp_path / "journal", segment_max_bytes=1) as writer:
        for i in range(3):
            writer.append([NewFrame(i, b"")])
    blocked = tmp_path / "journal" / "sealing.zst"
    blocked.mkdir()
    monkeypatch.setattr(signing_module, "SIGN_EVERY_S", 0.05)
    monkeypatch.setattr(signing_module, "LATE_S", 0.2)
    async with Doors(DoorOptions(tmp_path)) as doors:
        await until(lambda: doors.not_ready() is not None)
        assert "has not been sealed for" in doors.not_ready()
        blocked.rmdir()
        await until(lambda: doors.not_ready() is None)
    assert len(list((tmp_path / "journal").glob("*.zst"))) == 2


async def test_a_failure_to_sign_is_logged_and_stops_nothing(tmp_path, caplog):
    (tmp_path / "checkpoints").write_bytes(b"in the way")

    await take(tmp_path, 2)

    assert len(list(read_frames(tmp_path / "journal"))) == 2
    assert "the journal is not signed" in caplog.text
