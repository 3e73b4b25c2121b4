"""What the service and its commands said at the end, and what the journal holds."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from history.journal import Envelope
from history.record import Key

from phusong.v1.enforcement_pb2 import Decision
from phusong.v1.journal_pb2 import PayloadKind
from phusong.v1.telemetry_pb2 import Batch

# Every finding is a sentence.
Findings = Iterator[str]
# Metric → operator → sum over the other labels.
Sums = dict[str, dict[str, float]]


@dataclass
class Answers:
    """Everything the checker holds to the clients' record."""

    envelopes: list[Envelope]
    last_start_sequence: int  # of the journal when the service was started for the last time
    metrics: Sums
    stat: dict[str, Any]
    quota: dict[str, dict[str, Any]]  # by day
    coverage: dict[str, Any]
    audit: str = ""  # what `phusong audit verify` found wrong
    copies: dict[Key, list[int]] = field(init=False)  # the frames that hold each batch

    def __post_init__(self) -> None:
        self.copies = defaultdict(list)
        for envelope in self.envelopes:
            if envelope.is_batch:
                self.copies[envelope.key].append(envelope.sequence)

    def metric(self, name: str, operator: str) -> int:
        return int(self.metrics.get(name, {}).get(operator, 0))

    def batches(self) -> list[tuple[str, Batch]]:
        """Return each batch once, with its operator."""
        return [(key[0], Batch.FromString(key[1])) for key in self.copies]

    def copies_after(self, sequence: int) -> list[tuple[str, Batch, bool]]:
        """Return operator, batch and whether it came before, of every copy in frames after `sequence`."""
        found = []
        for key, frames in self.copies.items():
            batch = Batch.FromString(key[1])
            for i, frame in enumerate(frames):
                if frame > sequence:
                    found.append((key[0], batch, i > 0))
        return found

    def decisions(self) -> dict[str, list[Decision]]:
        """Return the journalled decisions of each operator."""
        found: dict[str, list[Decision]] = defaultdict(list)
        for envelope in self.envelopes:
            if envelope.kind == PayloadKind.PAYLOAD_KIND_DECISION:
                found[envelope.operator].append(Decision.FromString(envelope.payload))
        return found
