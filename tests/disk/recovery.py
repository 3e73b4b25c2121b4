"""What must hold on every disk a power cut leaves: checked with the product's own writer, readers, notary and audit."""

import asyncio
import random
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from disk.trace import Record
from disk.work import CLOCK_MS, ROUTE, payload_of

from phusong.collector.doors import open_intake
from phusong.collector.journal.checkpoint import HeadFile, Signer
from phusong.collector.journal.notary import Notary
from phusong.collector.journal.reader import open_any, read_frames
from phusong.collector.journal.segment import StoredFrame, read_meta, segment_paths
from phusong.collector.memory import _from_cache, encode_memory, recover
from phusong.kernels.frame import decode_frame
from phusong.verifier.audit import audit_journal
from phusong.verifier.journal import JournalReader
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.recompute import snapshot_differences
from phusong.verifier.signatures import read_public_key

DATA = "data"


@dataclass(frozen=True)
class Promised:
    """What somebody had been told before the power went."""

    frame: int
    head: int
    memory: int

    @classmethod
    def at(cls, record: Record, moment: int) -> "Promised":
        said = [mark.text.split() for mark in record.marks if mark.start < moment]
        return cls(
            *(
                max((int(n) for k, n in said if k == kind), default=0)
                for kind in ("frame", "head", "memory")
            )
        )


def payloads(frames: list[StoredFrame]) -> list[bytes]:
    """Return every payload of some frames."""
    found = []
    for stored in frames:
        frame = decode_frame(stored.body)
        places = zip(frame.offset.tolist(), frame.length.tolist(), strict=True)
        found += [stored.body[start : start + length] for start, length in places]
    return found


def recover_and_check(disk: Path, written: list[StoredFrame], promised: Promised, seed: int) -> int:
    """Recover a disk by the real code and prove that it is what was promised; return how many frames there are.

    `written` is the journal as it became without any power cut.
    """
    data = disk / DATA
    if random.Random(seed).random() < 0.3 and (data / "journal").exists():
        # An auditor may look before the service runs again.
        seen = [tuple(frame) for frame in JournalReader(data / "journal").frames()]
        assert promised.frame <= len(seen)
        assert seen == [tuple(frame) for frame in written[: len(seen)]]

    count = asyncio.run(_go_on(data, written, promised))

    frames = list(read_frames(data / "journal"))
    proven = [tuple(frame) for frame in JournalReader(data / "journal").frames()]
    assert proven == [tuple(frame) for frame in frames]
    everything = payloads(frames)
    assert sorted(everything) == sorted([*payloads(written[:count]), *_again(written, promised)])
    _audit(data, frames)
    return count


async def _go_on(data: Path, written: list[StoredFrame], promised: Promised) -> int:
    """Open the journal as the service does, look at it, and let the senders send again what they need not."""
    async with open_intake(data, lambda: CLOCK_MS) as opened:
        count = opened.writer.sequence
        found = list(read_frames(data / "journal"))
        assert promised.frame <= count, f"{promised} was promised, {count} frames are there"
        assert found == written[:count], "nothing but what was written, bit for bit"
        signer = Signer.of(data, opened.writer.journal)
        head = HeadFile(data).last(signer)
        assert promised.head <= (head.last if head else 0), "a signed head is gone"
        _check_memory(data / "journal", promised)
        kept = set(payloads(found))
        for payload in _again(written, promised):
            receipt = await opened.intake.submit(ROUTE, payload)
            assert bool(receipt.duplicate_count) == (payload in kept)
    return count


def _check_memory(folder: Path, promised: Promised) -> None:
    """Prove that what was remembered is what the frames say, and is as new as was promised."""
    remembered = _from_cache(folder)
    assert promised.memory <= (remembered.sequence if remembered else 0), "the memory is older"
    if remembered is not None:
        assert encode_memory(remembered, b"") == encode_memory(
            recover(folder, remembered.sequence), b""
        )


def _again(written: list[StoredFrame], promised: Promised) -> list[bytes]:
    """Return what senders send once more: the last that were acknowledged and the first that were not."""
    around = written[max(0, promised.frame - 2) : promised.frame + 3]
    return payloads(around) or [payload_of(1)]


def _audit(data: Path, frames: list[StoredFrame]) -> None:
    """Seal what can be, sign the rest, and let the auditor's own code judge all of it."""
    folder = data / "journal"
    with closing(open_any(segment_paths(folder)[-1])) as database:
        journal = read_meta(database).journal
    notary = Notary(data, folder, journal, lambda: CLOCK_MS)
    while notary.seal_next():
        pass
    notary.sign_head()
    assert not list(folder.glob("sealing*"))
    public = read_public_key(data / "keys" / "journal.pub")
    audit = audit_journal(folder, [data / "checkpoints"], public, lambda *_: None)
    assert not audit.damage, audit.damage
    assert audit.position.sequence == audit.signed_sequence == len(frames)
    assert not snapshot_differences(data, QuotaSettings())
