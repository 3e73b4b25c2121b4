"""The journal's disk and seals, the counters of the doors, of the intake and of the broker road as metric families."""

from collections.abc import Iterator
from typing import NamedTuple

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.broker.road import BrokerCounts
from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts, Origin
from phusong.collector.space import Space
from phusong.dashboards.families import Family, counter, counters, gauge, histograms
from phusong.kernels.frame import Transport

ORIGIN_LABELS = ["operator", "transport"]


class JournalFacts(NamedTuple):
    """How far the journal is and how it fares on its disk."""

    sequence: int = 0
    segment: int = 1
    size_bytes: int = 0
    space: Space = Space()
    signed_age_s: float = 0.0
    signing_failure_count: int = 0
    damaged_segment_count: int = 0


def journal_families(journal: JournalFacts) -> Iterator[Family]:
    """Yield how far the journal is, whether there is room, and whether it is signed."""
    space = journal.space
    for name, documentation, value in (
        ("journal_sequence", "Sequence of the last frame committed.", journal.sequence),
        ("journal_segment", "Number of the segment that is written now.", journal.segment),
        ("journal_size_bytes", "Bytes of all segments.", journal.size_bytes),
        (
            "journal_signed_age_seconds",
            "Time since the journal's head was signed, or found signed already.",
            journal.signed_age_s,
        ),
        (
            "journal_damaged_segments",
            "Sealed segments that are missing or not what was sealed, as far as they were looked at.",
            journal.damaged_segment_count,
        ),
        ("disk_free_bytes", "Room left on the disk of the journal.", space.free_bytes),
        (
            "disk_needed_bytes",
            "Room on the disk below which nothing new is taken.",
            space.needed_bytes,
        ),
        ("disk_nearly_full", "1 while nothing new is taken for want of room.", space.is_short),
    ):
        yield gauge(f"phusong_{name}", documentation, value)
    yield counter(
        "phusong_journal_signing_failures",
        "Attempts to sign a head or to seal a segment that failed.",
        journal.signing_failure_count,
    )


def intake_families(counts: IntakeCounts) -> Iterator[Family]:
    """Yield what came in since the process started, by origin and outcome."""
    for name, documentation, field in (
        ("received_payloads", "Payloads journalled.", "payload_count"),
        ("received_bytes", "Bytes of payloads journalled.", "payload_bytes"),
        ("accepted_rows", "Rows that receipts called accepted.", "accepted_row_count"),
        ("duplicate_rows", "Rows that receipts called duplicate.", "duplicate_row_count"),
    ):
        values = {
            _labels(origin): getattr(of_origin, field)
            for origin, of_origin in counts.origins.items()
        }
        yield counters(f"phusong_collector_{name}", documentation, ORIGIN_LABELS, values)
    yield counters(
        "phusong_collector_refused",
        "Payloads and rows that receipts called refused, by reason.",
        [*ORIGIN_LABELS, "reason"],
        {(*_labels(origin), reason): count for (origin, reason), count in counts.refused.items()},
    )
    yield histograms(
        "phusong_journal_commit_seconds",
        "Time of one commit, decoding and fsync included.",
        (),
        COMMIT_SECONDS_EDGES,
        {(): (counts.commit_seconds_counts, counts.commit_seconds_sum)},
    )
    yield gauge(
        "phusong_collector_queue_bytes",
        "Payload bytes that wait for a commit.",
        counts.queue_bytes,
    )
    yield gauge(
        "phusong_collector_queue_payloads",
        "Payloads that wait for a commit.",
        counts.queue_payload_count,
    )


def door_families(counts: DoorCounts) -> Iterator[Family]:
    """Yield who was not let in and who had to wait since the process started."""
    yield counters(
        "phusong_door_refused",
        "Connections, calls and handshakes that were not let in, by reason.",
        ["door", "reason"],
        counts.denied,
    )
    yield counters(
        "phusong_door_held",
        "Times a source was ahead of its rate: not read for a while, or told to come again.",
        ["door"],
        {(door,): count for door, count in counts.held.items()},
    )


def broker_families(counts: BrokerCounts) -> Iterator[Family]:
    """Yield what happened between us and the broker since the process started."""
    for name, documentation, value in (
        ("connected", "1 while the broker is read.", counts.is_connected),
        (
            "refused_subscriptions",
            "Subscriptions that the broker refuses now.",
            counts.refused_subscription_count,
        ),
    ):
        yield gauge(f"phusong_broker_{name}", documentation, value)
    for name, documentation, value in (
        ("reconnects", "Connections after the first.", counts.reconnect_count),
        (
            "lost_sessions",
            "Reconnects at which the broker had forgotten our session.",
            counts.lost_session_count,
        ),
        (
            "received_messages",
            "Messages delivered by the broker, repeated deliveries included.",
            counts.received_count,
        ),
        (
            "acknowledged_messages",
            "Messages acknowledged to the broker after their commit.",
            counts.acknowledged_count,
        ),
    ):
        yield counter(f"phusong_broker_{name}", documentation, value)


def _labels(origin: Origin) -> tuple[str, str]:
    return origin.operator, Transport(origin.transport).name.lower()
