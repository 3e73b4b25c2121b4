"""A collector and a verifier at work on one folder, to be run under strace: `python -m disk.work DATA MARKS SEED COUNT`.

Everything that writes is the product's own code. Limits are made small, so that in a few hundred frames the log is copied back
often, segments end, are sealed and compressed, heads are signed and both memories are written. Says in MARKS what was
promised to whom, each line before anything more is done.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from batches import usage_payload
from disk.breakages import BREAKAGES, NEEDS_SLOW_READERS

from phusong.collector import memory_cache, signing
from phusong.collector.doors import open_intake
from phusong.collector.journal import writer as writer_module
from phusong.collector.journal.checkpoint import HeadFile
from phusong.collector.journal.reader import open_any
from phusong.collector.journal.segment import segment_paths
from phusong.collector.topics import route_of_names
from phusong.kernels.frame import Transport
from phusong.verifier.process import Follower, FollowOptions
from phusong.verifier.quota.settings import QuotaSettings

CLOCK_MS = 1_633_064_400_000
ROUTE = route_of_names("viettel", "pgw-1", Transport.IMPORT)
SEGMENT_MAX_BYTES = 150_000
CHECKPOINT_BYTES = 90_000
MEMORY_AFTER_BYTES = 40_000
SESSION_COUNT = 3
NEWLINE = b"\n"


def payload_of(number):
    """Return the payload sent as the number-th; most are small, some span many pages."""
    dice = random.Random(number)
    rows = dice.choice([1, 1, 5, 40, 300, 1500])
    return usage_payload(number, rows=rows, boot_epoch=1)


class Work:
    """Runs until `count` payloads were acknowledged."""

    def __init__(self, data, marks, seed):
        self.data = data
        self.marks = marks
        self.dice = random.Random(seed)
        self.number = 0
        self.reader = None
        self.reading_share = 0.1

    def say(self, text):
        os.write(self.marks, text.encode())

    async def session(self, count):
        async with open_intake(self.data, lambda: CLOCK_MS) as opened:
            opened.writer.segment_max_bytes = SEGMENT_MAX_BYTES
            follower = Follower(FollowOptions(self.data, QuotaSettings(), 0), lambda status: None)
            stop = self.number + count
            while self.number < stop:
                # Whoever reads too long, see `look`, is not waited for.
                opened.writer._database.execute("PRAGMA busy_timeout = 1")
                await asyncio.gather(*(self.send(opened) for _ in range(self.dice.choice([1, 3]))))
                self.verify(follower)
                self.look(opened.writer.folder)
            while follower.step():
                pass
            follower.write_snapshot()
            follower._reader.close()

    async def send(self, opened):
        self.number += 1
        number = self.number
        receipt = await opened.intake.submit(ROUTE, payload_of(number))
        assert receipt.duplicate_count == 0
        self.say(f"frame {receipt.journal_sequence}")

    def verify(self, follower):
        if self.dice.random() < 0.5:
            follower.step()
        if self.dice.random() < 0.1:
            follower.write_snapshot()
            self.say(f"snapshot {follower._snapshots.sequence}")

    def look(self, folder):
        """Let somebody read in one transaction for a while, so that the log cannot be copied back."""
        if self.reader is not None and self.dice.random() < 0.3:
            self.reader.close()
            self.reader = None
        if self.reader is not None or self.dice.random() >= self.reading_share:
            return
        self.reader = open_any(segment_paths(folder)[-1])
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT max(sequence) FROM frame").fetchone()


def main():
    data, seed, count = Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
    marks = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    writer_module.CHECKPOINT_BYTES = CHECKPOINT_BYTES
    signing.SIGN_EVERY_S = 0.02
    memory_cache.SAVE_AFTER_BYTES = MEMORY_AFTER_BYTES
    memory_cache.COPY_SHARE = memory_cache.WRITE_SHARE = 0
    work = Work(data, marks, seed)
    append = HeadFile.append

    def append_and_say(self, note, day):
        append(self, note, day)
        work.say(f"head {note.split(NEWLINE)[1].decode()}")

    HeadFile.append = append_and_say
    write_cache = memory_cache.write_cache

    def write_and_say(folder, copy, room_bytes=None):
        write_cache(folder, copy, room_bytes)
        work.say(f"memory {copy.sequence}")

    memory_cache.write_cache = write_and_say
    for name in sys.argv[5:]:
        BREAKAGES[name]()
        if name in NEEDS_SLOW_READERS:
            work.reading_share = 0.9
    for _ in range(SESSION_COUNT):
        asyncio.run(work.session(count // SESSION_COUNT))


if __name__ == "__main__":
    main()
