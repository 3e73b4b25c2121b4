"""The order in which pruned segments leave the disk."""

from journals import segmented_journal

import phusong.collector.journal.retention as retention
from phusong.collector.journal.checkpoint import Signer
from phusong.kernels.note import decode_head, decode_note


def test_pruned_segments_go_from_the_oldest_on_each_on_disk_before_the_next(tmp_path, monkeypatch):
    """A power cut keeps what was not synced or does not: an older segment without the following one would be a hole."""
    segmented_journal(tmp_path, 4)
    folder = tmp_path / "journal"
    note = decode_note((folder / "segment-00000001.note").read_bytes())
    signer = Signer.of(tmp_path, decode_head(note.text).journal)
    retention.export_checkpoints(tmp_path, tmp_path.parent / "elsewhere", signer.public, "now")
    candidates, _ = retention.prunable(tmp_path, signer.public, "9999")
    synced: list[list[str]] = []
    sync_folder = retention.sync_folder

    def sync_and_list(folder):
        sync_folder(folder)
        synced.append(sorted(path.name[8:16] for path in folder.glob("*.zst")))

    monkeypatch.setattr(retention, "sync_folder", sync_and_list)
    content = retention.ClosingContent(b"state", b"memory", "phusong")
    retention.prune(tmp_path, candidates, content, signer, "2021-10-01T05:00:00.000Z")

    assert synced == [["00000002", "00000003"], ["00000003"], []]
