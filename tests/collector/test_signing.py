"""The journal is signed and sealed while it is written."""

import pytest

from phusong.collector.doors import open_intake
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


async def take(data, count):
    async with open_intake(data, lambda: 1_633_064_400_000) as (_, intake, _):
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


async def test_a_journal_behind_its_signed_head_is_not_opened(tmp_path):
    await take(tmp_path, 3)
    with JournalWriter(tmp_path / "journal") as writer:
        writer._database.execute("DELETE FROM frame WHERE sequence = 3")
    for cache in (tmp_path / "journal").glob("collector-memory*"):
        cache.unlink()

    with pytest.raises(JournalDamaged, match="signed at sequence 3"):
        await take(tmp_path, 1)


async def test_a_failure_to_sign_is_logged_and_stops_nothing(tmp_path, caplog):
    (tmp_path / "checkpoints").write_bytes(b"in the way")

    await take(tmp_path, 2)

    assert len(list(read_frames(tmp_path / "journal"))) == 2
    assert "not signed or sealed" in caplog.text
