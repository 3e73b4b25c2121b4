"""Every sentence about a dispute, in one place: why a step had no effect and what to do instead, who is to move."""

from datetime import UTC, datetime

from phusong.kernels.days import ICT_OFFSET_MS
from phusong.verifier.disputes.book import DisputeBook, end_of_day_after
from phusong.verifier.disputes.limits import Limits
from phusong.verifier.disputes.records import Dispute, DisputeState, Refusal, RefusedStep, Side


def refusal_text(refused: RefusedStep, book: DisputeBook, limits: Limits) -> str:
    """Return why a step had no effect, and what can be done."""
    dispute = book.disputes.get(refused.dispute)
    if refused.refusal is Refusal.UNKNOWN_DISPUTE or refused.step is None:
        return _of_unknown(refused)
    if dispute is None:
        return _of_filing(refused, limits)
    return _of_answer(refused.refusal, dispute)


def _of_unknown(refused: RefusedStep) -> str:
    if refused.step is None:
        return "the entry holds no step of a dispute; see docs/disputes.md"
    return f"there is no dispute {refused.step.dispute!r}; `phusong dispute list` names all"


def _of_filing(refused: RefusedStep, limits: Limits) -> str:
    step = refused.step
    assert step is not None, "asked before"
    assert step.verdict is not None, "only filings are refused without a dispute"
    as_of_ms = step.verdict.as_of_ms
    if refused.refusal is Refusal.VERDICT_TO_COME:
        return (
            f"the verdict is as of {moment_text(as_of_ms)}, after {moment_text(step.time_ms)}, when the journal took the filing:"
            " give --as-of a time that has passed"
        )
    due_ms = end_of_day_after(as_of_ms, limits.filing.limit_days)
    return (
        f"a verdict as of {moment_text(as_of_ms)} could be disputed until {moment_text(due_ms)}"
        f" ({limits.filing.limit_days} days, {limits.id}): dispute a later one, with --as-of"
    )


def _of_answer(refusal: Refusal, dispute: Dispute) -> str:
    words = {
        Refusal.REPEATED: f"this is in the journal already, word by word, and counts once: {standing_text(dispute)}",
        Refusal.FILED_ALREADY: f"{dispute.name} of the same filer about this verdict is open: answer there, or withdraw it first",
        Refusal.REBUTTED_LATE: (
            f"{dispute.name} could be rebutted until {moment_text(dispute.rebuttal_due_ms)}. Readings that are imported"
            " now count for every later verdict; a verdict that they change can be disputed anew"
        ),
        Refusal.CLOSED: f"{dispute.name} has ended: {standing_text(dispute)}. A later verdict can be disputed anew",
        Refusal.REBUTTED_ALREADY: (
            f"{dispute.name} was rebutted already. The other side can still concede, the filer withdraw, an auditor decide"
        ),
        Refusal.NOT_REBUTTED: (
            f"{dispute.name} was not answered yet: the other side has until {moment_text(dispute.rebuttal_due_ms)}, and silence"
            " is counted then"
        ),
        Refusal.OWN_DISPUTE: (
            f"{dispute.name}: nobody answers or decides a dispute of their own. Who filed can withdraw it"
        ),
        Refusal.NOT_THE_FILER: (
            f"{dispute.name} was filed by {dispute.filing.name}, who alone can withdraw it; the other side concedes"
        ),
    }
    return words[refusal]


def standing_text(dispute: Dispute) -> str:
    """Return how a dispute stands, in a sentence."""
    if dispute.state is DisputeState.OPEN:
        return f"open, an answer is due until {moment_text(dispute.rebuttal_due_ms)}"
    if dispute.state is DisputeState.REBUTTED:
        return "rebutted, open until somebody gives in or an auditor decides"
    assert dispute.ended_ms is not None, "what is not open has ended"
    ends = {
        DisputeState.CONCEDED: "conceded",
        DisputeState.WITHDRAWN: "withdrawn",
        DisputeState.LAPSED: "lapsed without an answer",
        DisputeState.UPHELD: "decided",
        DisputeState.DISMISSED: "decided",
    }
    side = "the filer" if dispute.in_favour_of is Side.FILER else "the other side"
    return f"{ends[dispute.state]} on {moment_text(dispute.ended_ms)}, for {side}"


def moment_text(time_ms: int) -> str:
    """Return a Unix time as people in Vietnam write it."""
    moment = datetime.fromtimestamp((time_ms + ICT_OFFSET_MS) // 1000, UTC)
    return f"{moment:%d/%m/%Y %H:%M} (Vietnam)"
