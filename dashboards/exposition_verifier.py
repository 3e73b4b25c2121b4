"""What the verifier does and how far it is, as metric families."""

from collections.abc import Iterator, Mapping

from phusong.dashboards.families import Family, counter, counters, gauge
from phusong.dashboards.verifier_lag import VerifierLag
from phusong.kernels.frame import Transport
from phusong.verifier.status import VerifierStatus

ORIGIN_LABELS = ["operator", "transport"]


def row_families(status: VerifierStatus) -> Iterator[Family]:
    """Yield rows by outcome: received = taken + duplicate + refused."""
    rows = status.rows
    for name, documentation, counts in (
        ("received", "Rows received; an unreadable payload counts as one.", rows.received),
        ("taken", "Rows that count.", rows.taken),
        ("duplicate", "Rows that had come before.", rows.duplicate),
    ):
        yield counters(
            f"phusong_verifier_{name}_rows", documentation, ORIGIN_LABELS, _by_name(counts)
        )
    yield counters(
        "phusong_verifier_refused_rows",
        "Rows and payloads kept in the journal but not counted, by reason.",
        [*ORIGIN_LABELS, "reason"],
        {
            (operator, _name(transport), reason): count
            for (operator, transport, reason), count in rows.refused.items()
        },
    )


def lag_families(lag: VerifierLag) -> Iterator[Family]:
    """Yield how far the verifier is behind the journal; also while it says nothing."""
    yield gauge(
        "phusong_verifier_lag_frames", "Frames committed and not yet judged.", lag.frame_count
    )
    yield gauge(
        "phusong_verifier_lag_seconds",
        "Since when the oldest frame not yet judged waits.",
        lag.seconds,
    )


def verifier_families(status: VerifierStatus) -> Iterator[Family]:
    """Yield how far it is, and what it takes of the machine."""
    yield gauge(
        "phusong_verifier_applied_sequence",
        "Sequence of the last frame judged.",
        status.applied_sequence,
    )
    yield gauge(
        "phusong_verifier_sequence_gaps",
        "Batches that sources numbered and never sent.",
        status.sequence_gaps,
    )
    yield gauge(
        "phusong_verifier_snapshot_sequence",
        "Sequence of the last snapshot that this verifier process wrote, 0 before the first.",
        status.snapshot_sequence,
    )
    yield counters(
        "phusong_verifier_stage_seconds",
        "Time the verifier process has worked since its start, by stage.",
        ["stage"],
        {(stage,): seconds for stage, seconds in status.stage_seconds.items()},
    )
    yield counter(
        "phusong_verifier_cpu_seconds",
        "Processor time of the verifier's process.",
        status.use.cpu_seconds,
    )
    if status.use.resident_bytes:
        yield gauge(
            "phusong_verifier_resident_memory_bytes",
            "Memory of the verifier's process.",
            status.use.resident_bytes,
        )


def _by_name(counts: Mapping[tuple[str, int], int]) -> dict[tuple[str, ...], float]:
    return {(operator, _name(transport)): count for (operator, transport), count in counts.items()}


def _name(transport: int) -> str:
    return Transport(transport).name.lower()
