"""Ways of breaking the product that a test of lost writes must notice: by name, done to the process that calls them."""

import os
from pathlib import Path

from phusong.collector import memory_cache
from phusong.collector.journal import checkpoint, sealed, segment, writer
from phusong.collector.journal.writer import JournalWriter


def name_of(descriptor):
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


def set_synchronous(mode):
    opened = JournalWriter._open

    def open_carelessly(self, path):
        database = opened(self, path)
        database.execute(f"PRAGMA synchronous = {mode}")
        return database

    JournalWriter._open = open_carelessly


def sync_no_folder():
    for module in (checkpoint, sealed, segment, writer):
        module.sync_folder = lambda folder: None


def sync_no_new_segment():
    segment.sync_folder = lambda folder: None
    writer.sync_folder = lambda folder: None


def rename_before_sync():
    """Sealing gives the compressed file its name and removes its source before it is on disk."""
    real = os.fsync

    def fsync_no_seal(descriptor):
        if name_of(descriptor) != "sealing.zst":
            real(descriptor)

    os.fsync = fsync_no_seal


def sync_no_note():
    real = os.fsync

    def fsync_no_note(descriptor):
        if not name_of(descriptor).startswith("draft-segment"):
            real(descriptor)

    os.fsync = fsync_no_note


def sync_no_head():
    real = os.fsync

    def fsync_no_head(descriptor):
        if not name_of(descriptor).startswith("heads-"):
            real(descriptor)

    os.fsync = fsync_no_head


def sync_no_memory():
    """The collector's memory gets its name and neither the file nor the name is on disk."""
    real = os.fsync

    def fsync_no_memory(descriptor):
        if not name_of(descriptor).startswith("collector-memory"):
            real(descriptor)

    os.fsync = fsync_no_memory
    memory_cache.sync_folder = lambda folder: None


def remove_logs_at_once():
    """Sealing removes the log before the segment is gone for good."""
    real = sealed.remove_logs

    def remove_unsynced(folder, number):
        synced, sealed.sync_folder = sealed.sync_folder, lambda folder: None
        real(folder, number)
        sealed.sync_folder = synced

    sealed.remove_logs = remove_unsynced


# Shows only where a reader was slow when a segment ended, and the power fails within three calls of thousands.
NEEDS_SLOW_READERS = frozenset(("log-removed-early",))
CUT_NEAR_SUFFIX = {"log-removed-early": "-wal"}
BREAKAGES = {
    "synchronous-off": lambda: set_synchronous("OFF"),
    "synchronous-normal": lambda: set_synchronous("NORMAL"),
    "folders-unsynced": sync_no_folder,
    "new-segment-unsynced": sync_no_new_segment,
    "renamed-before-synced": rename_before_sync,
    "note-unsynced": sync_no_note,
    "head-unsynced": sync_no_head,
    "memory-unsynced": sync_no_memory,
    "log-removed-early": remove_logs_at_once,
}
