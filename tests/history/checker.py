"""Holds what the service says to what its clients know. Every finding is a sentence; none means that the promise held."""

from history.answers import Answers, Findings
from history.expected import Outcome, outcome_of, used
from history.record import Key, Record, name_of
from history.totals import (
    find_out_of_bounds,
    find_wrong_counts,
    find_wrong_coverage,
    find_wrong_decisions,
    find_wrong_usage,
)

from phusong.v1.telemetry_pb2 import Batch


def find_all(record: Record, answers: Answers) -> list[str]:
    """Return everything that is not as it must be."""
    kept = [(key[0], Batch.FromString(key[1])) for key in answers.copies]
    entries = used(kept)
    return [
        *record.complaints,
        *find_by_audit(answers),
        *find_lost(record, answers.copies),
        *find_uncalled(record, answers.copies),
        *find_wrong_receipts(record, answers.copies),
        *find_disorder(record),
        *find_out_of_bounds(record, answers),
        *find_wrong_counts(answers),
        *find_wrong_usage(entries, answers),
        *find_wrong_coverage([batch for _, batch in kept], answers),
        *find_wrong_decisions(record, answers, entries),
    ]


def find_by_audit(answers: Answers) -> Findings:
    if answers.audit:
        yield f"audit: {answers.audit}"


def find_lost(record: Record, copies: dict[Key, list[int]]) -> Findings:
    for key in record.promised().keys() - copies.keys():
        yield f"lost: {name_of(key)} was acknowledged and is not in the journal"


def find_uncalled(record: Record, copies: dict[Key, list[int]]) -> Findings:
    """Find batches nobody sent, fewer copies than acknowledgements, and more than were sent."""
    for key, frames in copies.items():
        entry = record.entries.get(key)
        if entry is None or not entry.sent_count_max:
            yield f"uncalled: {name_of(key)} is in the journal and was never sent"
        elif key[0] not in record.by_broker:
            if len(frames) > entry.sent_count_max:
                yield f"uncalled: {name_of(key)} was sent {entry.sent_count_max} times, kept {frames}"
            if len(frames) < entry.acknowledged_count:
                yield f"lost: {name_of(key)} was acknowledged {entry.acknowledged_count} times, kept {frames}"


def find_wrong_receipts(record: Record, copies: dict[Key, list[int]]) -> Findings:
    """A receipt names the frame that holds its copy, and the first copy is the one that counts."""
    for key, entry in record.entries.items():
        frames = copies.get(key, [])
        first, repeat = (outcome_of(entry.batch, is_repeat=again) for again in (False, True))
        first_count = 0
        for receipt in entry.receipts:
            where = f"{name_of(key)}: receipt of frame {receipt.journal_sequence}"
            said = Outcome(receipt.accepted_count, receipt.duplicate_count, receipt.refused_count)
            is_alone = frames.count(receipt.journal_sequence) == 1
            if receipt.journal_sequence not in frames:
                yield f"{where}, but it is kept in {frames}"
            elif said not in {first, repeat}:
                yield f"{where}: {said}, expected {first} or {repeat}"
            elif said != first and is_alone and receipt.journal_sequence == frames[0]:
                yield f"{where} says repeat, but nothing came before"
            elif said != repeat and receipt.journal_sequence != frames[0]:
                yield f"{where} says accepted, but frame {frames[0]} has it already"
            first_count += said != repeat
        if first_count > 1:
            yield f"{name_of(key)}: {first_count} receipts say accepted"


def find_disorder(record: Record) -> Findings:
    for what, numbers in record.ascending:
        if numbers != sorted(numbers):
            yield f"{what} are out of order: {numbers}"
