"""DISPUTED laid over verdicts. The verdict stays what the evidence says; the overlay says that it cannot be relied on.

A dispute about the verdict as of a day concerns reports as of that day and later. While it is open it lies on the row. Ended
for the other side it does not. Ended for the filer it goes on lying on the row as long as the row still says what was
disputed, until the readings made since the end say so by themselves: who concedes that a hamlet has no service has not given it
service.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from phusong.verifier.coverage.records import DisputeMark, SiteVerdict, Verdict
from phusong.verifier.coverage.wording import time_text
from phusong.verifier.disputes.book import DisputeBook
from phusong.verifier.disputes.records import Dispute, DisputeState, Side

# What the readings since a time say of a row.
VerdictSince = Callable[[SiteVerdict, int], Verdict]


def overlaid(
    rows: Iterable[SiteVerdict], book: DisputeBook, as_of_ms: int, since: VerdictSince
) -> Iterator[SiteVerdict]:
    """Yield the rows of a report as of a time, those under dispute marked."""
    by_row: dict[tuple[str, str, str], list[Dispute]] = {}
    for dispute in book.disputes.values():
        if dispute.verdict.as_of_ms <= as_of_ms:
            by_row.setdefault(dispute.verdict[:3], []).append(dispute)
    for row in rows:
        disputes = by_row.get((row.site_code, row.operator, row.technology))
        if not disputes:
            yield row
            continue
        is_disputed = any(_lies_on(row, dispute, since) for dispute in disputes)
        yield replace(
            row,
            overlay=Verdict.DISPUTED if is_disputed else None,
            disputes=tuple(mark_of(dispute) for dispute in disputes),
        )


def mark_of(dispute: Dispute) -> DisputeMark:
    """Return how a dispute is shown beside a verdict."""
    is_awaited = dispute.state is DisputeState.OPEN
    return DisputeMark(
        dispute=dispute.name,
        state=dispute.state.value,
        in_favour_of=None if dispute.in_favour_of is None else dispute.in_favour_of.name.lower(),
        answer_due=time_text(dispute.rebuttal_due_ms) if is_awaited else None,
    )


def _lies_on(row: SiteVerdict, dispute: Dispute, since: VerdictSince) -> bool:
    if dispute.state.is_open:
        return True
    if dispute.in_favour_of is not Side.FILER or row.verdict != dispute.verdict.verdict:
        return False
    assert dispute.ended_ms is not None, "what is not open has ended"
    return since(row, dispute.ended_ms) != row.verdict
