"""What people entered into the journal: which version of each list was known when, and what they disputed and ruled."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from phusong.kernels.frame import PayloadKind, decode_frame
from phusong.v1.journal_pb2 import RegistryEntry
from phusong.verifier.journal import JournalReader, Position, StoredFrame

REGISTRIES = (
    *("sites", "sims", "handovers", "sources", "platforms", "programme", "policy", "disputes"),
    "operators",
)
# Not lists that replace each other: every entry stands. Kept beside them, because they too must be known before rows are judged.
STREAMS: dict[int, str] = {
    PayloadKind.DISPUTE: "dispute entries",
    PayloadKind.RULING: "ruling entries",
}
ENTERED_KINDS = (PayloadKind.REGISTRY, *STREAMS)


class Version(NamedTuple):
    """One file given to `phusong registry add`, or one entry of a stream."""

    sequence: int
    known_time_ms: int
    file: str
    content: bytes
    envelope: int = (
        0  # of its frame: one list may be entered twice in one commit, with another between
    )


@dataclass(slots=True)
class RegistryHistory:
    """Every version of every registry, in journal order."""

    versions: dict[str, list[Version]] = field(default_factory=dict)

    def note(
        self,
        frame: StoredFrame,
        envelope: int,
        payload: bytes,
        kind: int = PayloadKind.REGISTRY,
    ) -> str:
        """Add an entry found in a frame; return which registry or stream it is of, "" when it is known already."""
        if kind in STREAMS:
            name, file, content = STREAMS[kind], "", payload
        else:
            entry = RegistryEntry.FromString(payload)
            name, file, content = entry.registry, entry.file, entry.content
        version = Version(frame.sequence, frame.received_time_ms, file, content, envelope)
        versions = self.versions.setdefault(name, [])
        if version in versions:
            return ""
        versions.append(version)
        return name

    def entered(self, kind: PayloadKind, known_at_ms: int | None) -> list[Version]:
        """Return the entries of a stream that had come by a known-at time, in journal order."""
        found = self.versions.get(STREAMS[kind], [])
        return [v for v in found if known_at_ms is None or v.known_time_ms <= known_at_ms]

    def known(self, registry: str, known_at_ms: int | None) -> Version | None:
        """Return the version in force at a known-at time.

        A list of sites that was entered only later is still used in its first version, because a report on old
        evidence needs sites to report on. What changes an answer (policy, entitlements) is never brought forward.
        """
        versions = self.versions.get(registry, [])
        if not versions:
            return None
        in_time = self.all_known(registry, known_at_ms)
        if in_time:
            return in_time[-1]
        return versions[0] if registry == "sites" else None

    def all_known(self, registry: str, known_at_ms: int | None) -> list[Version]:
        """Return all versions entered by a known-at time, in the order of their entry."""
        versions = self.versions.get(registry, [])
        return [v for v in versions if known_at_ms is None or v.known_time_ms <= known_at_ms]


def read_registries(
    folder: Path,
    until_sequence: int | None = None,
    *,
    history: RegistryHistory | None = None,
    after: Position | None = None,
) -> RegistryHistory:
    """Return the registries of a journal, reading nothing but their frames' envelopes.

    `history` is what is known up to the position `after`.
    """
    history = RegistryHistory() if history is None else history
    for frame in JournalReader(folder, after).frames(until_sequence):
        decoded = decode_frame(frame.body)
        kinds = {n: r.kind for n, r in decoded.routes.items() if r.kind in ENTERED_KINDS}
        if not kinds:
            continue
        for i in range(len(decoded.route)):
            kind = kinds.get(int(decoded.route[i]))
            if kind is not None:
                start, length = int(decoded.offset[i]), int(decoded.length[i])
                history.note(frame, i, frame.body[start : start + length], kind)
    return history
