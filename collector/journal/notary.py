"""Signs the head of the live journal and seals segments nobody writes any more. Reads what is on disk, writes no frame.

Belongs to whoever holds the writer's lock; everything here blocks and belongs on a thread.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from phusong.collector.journal.checkpoint import HeadFile, Signer
from phusong.collector.journal.reader import chain_at, first_sequence, open_any
from phusong.collector.journal.sealed import remove_drafts, remove_logs, seal_segment, sealed_path
from phusong.collector.journal.segment import (
    JournalDamaged,
    read_meta,
    segment_number,
    segment_paths,
)
from phusong.kernels.merkle import Tree, leaf_hash
from phusong.kernels.note import Head, PublicKey

log = logging.getLogger(__name__)

# A receipt promises the next signed head; a minute of frames is what nobody can prove yet.
SIGN_EVERY_S = 60.0


class Notary:
    """Keeps the tree over all frames, from the last head it signed on."""

    def __init__(self, data: Path, folder: Path, journal: str, clock_ms: Callable[[], int]) -> None:
        """Take up where the last head stands.

        Raises JournalDamaged where the journal does not hold what was signed, OSError, sqlite3.Error.
        """
        self._folder = folder
        self._journal = journal
        self._clock_ms = clock_ms
        self._signer = Signer.of(data, journal)
        self._heads = HeadFile(data)
        self._tree = Tree()
        self._chain = b""
        self._signed_size = 0
        head = self._heads.last(self._signer)
        if head is not None and head.journal == journal:
            if chain_at(folder, head.last) != head.chain:
                raise JournalDamaged(
                    f"the journal does not hold what was signed at sequence {head.last} ({head.time}):"
                    " frames are gone or changed; compare with a copy, see docs/audit.md"
                )
            self._tree, self._chain = head.tree, head.chain
            self._signed_size = head.tree.size

    @property
    def public(self) -> PublicKey:
        """The key whose signature is on everything."""
        return self._signer.public

    def sign_head(self) -> bool:
        """Sign the journal as it stands on disk; return whether there was anything new."""
        self._advance()
        if self._tree.size == self._signed_size:
            return False
        time = _time_text(self._clock_ms())
        head = Head(self._journal, 0, 1, self._tree, self._chain, time)
        self._heads.append(self._signer.sign(head), time[: len("2021-10-01")])
        self._signed_size = self._tree.size
        log.info(
            "the journal's head is signed at sequence %d",
            head.last,
            extra={"event": "head_signed", "sequence": head.last},
        )
        return True

    def seal_next(self) -> bool:
        """Seal one segment that another one follows; return whether there was any."""
        paths = segment_paths(self._folder)
        for path, following in pairwise(paths):
            segment = segment_number(path)
            if path != sealed_path(self._folder, segment):
                _check_follows(path, following)
                seal_segment(self._folder, segment, self._signer, _time_text(self._clock_ms()))
                log.info(
                    "segment %d is sealed",
                    segment,
                    extra={"event": "segment_sealed", "segment": segment},
                )
                return True
            remove_logs(self._folder, segment)  # left by a crash after the last step but one
        remove_drafts(self._folder)
        return False

    def _advance(self) -> None:
        tree, chain = self._tree, self._chain
        paths = segment_paths(self._folder)
        for i, path in enumerate(paths):
            if i + 1 < len(paths) and first_sequence(paths[i + 1]) <= tree.size + 1:
                continue
            with closing(open_any(path)) as database:
                for sequence, stored in database.execute(
                    "SELECT sequence, chain FROM frame WHERE sequence > ? ORDER BY sequence",
                    (tree.size,),
                ):
                    if sequence != tree.size + 1:
                        raise JournalDamaged(f"{path.name}: sequence {tree.size + 1} is missing")
                    tree, chain = tree.grow(leaf_hash(stored)), stored
        self._tree, self._chain = tree, chain


def _check_follows(path: Path, following: Path) -> None:
    """Refuse to seal a segment whose last frame is not the one the next segment was begun after."""
    with closing(open_any(path)) as database, closing(open_any(following)) as after:
        last = database.execute(
            "SELECT sequence, chain FROM frame ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        meta = read_meta(after)
    if last != (meta.first_sequence - 1, meta.previous_chain):
        raise JournalDamaged(
            f"{path.name}, sequence {last[0] if last else '?'}: {following.name} does not follow from it"
        )


def _time_text(time_ms: int) -> str:
    moment = datetime.fromtimestamp(time_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
