"""Holds every total that is published to what it must be. Part of the checker."""

import datetime as dt
from collections import Counter

from history.answers import Answers, Findings
from history.devices import SITES, TODAY
from history.expected import (
    Ledger,
    Outcome,
    count_copies,
    gap_count,
    outcome_of,
    raw_counts,
    steps,
    sum_of,
    used,
)
from history.record import Entry, Record

from phusong.v1.telemetry_pb2 import Batch

# In the order of an `Outcome`.
VERIFIER = tuple(
    f"phusong_verifier_{what}_rows_total" for what in ("taken", "duplicate", "refused")
)
COLLECTOR = (
    "phusong_collector_accepted_rows_total",
    "phusong_collector_duplicate_rows_total",
    "phusong_collector_refused_total",
)
LEDGER_FIELDS = {
    "metered": "used_bytes",
    "zero_rated": "zero_rated_bytes",
    "indeterminate": "indeterminate_bytes",
}


def find_out_of_bounds(record: Record, answers: Answers) -> Findings:
    """Find totals that the clients' record alone rules out, whatever the journal says."""
    promised = list(record.promised().values())
    tried = [entry for entry in record.entries.values() if entry.sent_count_max]
    for operator in record.devices:
        least = sum(first_taken(entry) for entry in promised if entry.operator == operator)
        most = sum(
            first_taken(entry)
            + (entry.sent_count_max - 1) * outcome_of(entry.batch, is_repeat=True).taken
            for entry in tried
            if entry.operator == operator
        )
        taken = answers.metric("phusong_verifier_taken_rows_total", operator)
        if not least <= taken <= most:
            yield f"bounds: {operator} has {taken} rows counted, expected {least} to {most}"
    # Bytes of a SIM over all days: the split over midnight depends on readings that may be missing.
    least, most = (
        by_sim(used((entry.operator, entry.batch) for entry in found))
        for found in (promised, tried)
    )
    published = by_sim(published_ledger(answers))
    for sim in most | published:
        if not least[sim] <= published[sim] <= most[sim]:
            yield f"bounds: SIM {sim} has {published[sim]} B, expected {least[sim]} to {most[sim]}"


def first_taken(entry: Entry) -> int:
    return outcome_of(entry.batch, is_repeat=False).taken


def find_wrong_counts(answers: Answers) -> Findings:
    """Find counts that do not follow from the copies in the journal."""
    whole = count_copies(answers.copies_after(0))
    for operator, counts in whole.items():
        yield from find_difference(f"verifier: {operator}", answers, VERIFIER, operator, counts)
    last_life = count_copies(answers.copies_after(answers.last_start_sequence))
    for operator, counts in last_life.items():
        yield from find_difference(f"collector: {operator}", answers, COLLECTOR, operator, counts)
    kept = Counter(
        e.operator for e in answers.envelopes if e.sequence > answers.last_start_sequence
    )
    for operator, count in kept.items():  # decisions are payloads too
        payloads = answers.metric("phusong_collector_received_payloads_total", operator)
        if payloads != count:
            yield f"collector: {operator} has {payloads} payloads, expected {count}"
    stat = answers.stat
    said = Outcome(stat["taken"], stat["duplicate"], sum(stat["refused"].values()))
    must = sum_of(whole.values())
    if said != must or stat["received"] != must.received:
        yield f"journal stat: {stat}, expected {must}"
    gaps = gap_count(answers.batches())
    if stat["sequence_gaps"] != gaps:
        yield f"journal stat: {stat['sequence_gaps']} gaps, expected {gaps}"


def find_difference(
    where: str, answers: Answers, names: tuple[str, ...], operator: str, must: Outcome
) -> Findings:
    said = Outcome(*(answers.metric(name, operator) for name in names))
    if said != must:
        yield f"{where}: {said}, expected {must}"


def find_wrong_usage(entries: Ledger, answers: Answers) -> Findings:
    published = published_ledger(answers)
    for sim, day in sorted(entries.keys() | published.keys()):
        must, said = entries.get((sim, day)), published.get((sim, day))
        if must != said:
            yield f"quota: SIM {sim} on {day_text(day)}: {said}, expected {must}"


def published_ledger(answers: Answers) -> Ledger:
    """Return what `phusong quota` said; SIMs without bytes left out."""
    found = {}
    for text, document in answers.quota.items():
        for row in document["sims"]:
            entry = {name: row[field] for name, field in LEDGER_FIELDS.items()}
            if any(entry.values()):
                found[int(row["sim"]), day_number(text)] = entry
    return found


def by_sim(entries: Ledger) -> Counter[int]:
    totals: Counter[int] = Counter()
    for (sim, _), entry in entries.items():
        totals[sim] += entry["metered"] + entry["zero_rated"]
    return totals


def find_wrong_coverage(batches: list[Batch], answers: Answers) -> Findings:
    counts = raw_counts(batches)
    rows = {row["site_code"]: row for row in answers.coverage["sites"]}
    for site in SITES:
        must = counts[round(site.latitude_deg, 1), round(site.longitude_deg, 1)]
        said = rows[site.code]["counts"]["raw"]
        if must != said:
            yield f"coverage: {site.code} has {said} readings, expected {must}"


def find_wrong_decisions(record: Record, answers: Answers, entries: Ledger) -> Findings:
    """What a day calls for is decided once, numbered without gaps, and delivered as decided to all who watched."""
    journalled = answers.decisions()
    decided = Counter(
        (d.subscriber_key, d.action, d.threshold_percent)
        for decisions in journalled.values()
        for d in decisions
    )
    must = steps(entries, day_number(TODAY))
    for step in must ^ decided.keys():
        yield f"decisions: {step} is decided {decided[step]} times, expected {int(step in must)}"
    for step, count in decided.items():
        if count > 1:
            yield f"decisions: {step} is decided {count} times"
    for operator, decisions in journalled.items():
        positions = [decision.position for decision in decisions]
        if positions != list(range(1, len(decisions) + 1)):
            yield f"decisions: {operator} has positions {positions}"
        if len({decision.decision_key for decision in decisions}) != len(decisions):
            yield f"decisions: {operator} has a key twice"
    for who, seen in record.decisions.items():
        must_see = {d.position: d for d in journalled.get(who.split(" ", 1)[0], [])}
        for decision in seen:
            if must_see.get(decision.position) != decision:
                yield f"decisions: {who} was told {decision}, which is not what the journal holds"
        missing = must_see.keys() - {decision.position for decision in seen}
        if missing:
            yield f"decisions: {who} was never told positions {sorted(missing)}"


def day_number(text: str) -> int:
    """Return 2021-12-01 as days since 1970-01-01."""
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def day_text(day: int) -> str:
    return dt.date.fromordinal(day + dt.date(1970, 1, 1).toordinal()).isoformat()
