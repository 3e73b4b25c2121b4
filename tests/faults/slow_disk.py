"""`phusong` on a disk that takes its time: run this file as the command.

A commit takes so long on a disk that is busy with something else. It makes the moment between taking a message and having it
on disk wide enough that a kill falls into it, on any machine: who acknowledges too early is found out.
"""

import os
import random
import time

from phusong.collector.journal.writer import JournalWriter
from phusong.dashboards.commands import main

COMMIT_WAIT_MAX_S = 0.04


def slow_down(wait_s):
    """Let every commit wait first for as long as `wait_s` says."""
    append = JournalWriter.append

    def append_late(self, frames):
        time.sleep(wait_s())
        return append(self, frames)

    JournalWriter.append = append_late


if __name__ == "__main__":  # the verifier's process imports this file too
    chance = random.Random(os.getpid())
    slow_down(lambda: chance.uniform(0, COMMIT_WAIT_MAX_S))
    main()
