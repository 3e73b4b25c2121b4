"""What the service found against what the generator knows. Pure: documents in, findings out."""

from dataclasses import dataclass, field
from typing import Any

from phusong.dashboards.demo import season
from phusong.dashboards.demo.programme import Truth
from phusong.dashboards.demo.sites import Situation
from phusong.dashboards.demo.subscribers import QUOTA_BYTES

TECHNOLOGY = "LTE"

# Which verdicts are right. A site hardly measured may be called either way of not knowing.
UNKNOWN = frozenset({"INSUFFICIENT", "UNTESTED"})
ANY = frozenset({"COVERED", "NOT_COVERED", "CONFLICTED", *UNKNOWN})
RIGHT = {
    Situation.COVERED: frozenset({"COVERED"}),
    Situation.WEAK: frozenset({"NOT_COVERED"}),
    Situation.SILENT: frozenset({"NOT_COVERED"}),
    # 2G and 3G readings say nothing of LTE: whatever is said, it may not be COVERED.
    Situation.OLD: frozenset({"NOT_COVERED", *UNKNOWN}),
    Situation.HARDLY: UNKNOWN,
    Situation.UNTESTED: UNKNOWN,
    Situation.BORDER: ANY,
}
# A base station that claims to be on air where SIMs find no service contradicts them, and the verdict must say so.
RIGHT_DESPITE_CLAIM = frozenset({"CONFLICTED"})


@dataclass(slots=True)
class Comparison:
    """How many things were compared, how many could not be, and each disagreement in words."""

    subject: str
    compared_count: int = 0
    undecided_count: int = 0
    disagreements: list[str] = field(default_factory=list)

    @property
    def agreed_count(self) -> int:
        """How many agree with the truth."""
        return self.compared_count - len(self.disagreements)


def compare_coverage(truth: Truth, document: dict[str, Any]) -> Comparison:
    """Compare the verdict of every operator at every site."""
    found = {
        (row["site_code"], row["operator"]): row["verdict"]
        for row in document["sites"]
        if row["technology"] == TECHNOLOGY
    }
    result = Comparison("verdicts")
    for pair in truth.pairs:
        if pair.situation is Situation.BORDER:
            result.undecided_count += 1
            continue
        right = RIGHT[pair.situation]
        if pair.number in truth.falsely_claimed:
            right = RIGHT_DESPITE_CLAIM
        verdict = found.get((pair.site.site_code, pair.operator), "nothing")
        result.compared_count += 1
        if verdict not in right:
            result.disagreements.append(
                f"{pair.site.site_code} {pair.operator}: found {verdict}, expected"
                f" {' or '.join(sorted(right))} ({pair.situation.value})"
            )
    return result


def compare_quota(truth: Truth, documents: list[dict[str, Any]]) -> Comparison:
    """Compare every SIM's volumes of every day, and whether it exhausted its quota."""
    subscribers = truth.subscribers
    free_bytes = subscribers.zero_rated_bytes()
    result = Comparison("SIM-days")
    for day, document in enumerate(documents):
        assert document["day"] == season.USAGE_DAYS[day]
        found = {row["sim"]: row for row in document["sims"]}
        for sim, key in enumerate(subscribers.subscriber_key.tolist()):
            result.compared_count += 1
            expected = {
                "used_bytes": int(truth.usage.used_bytes[sim, day]),
                "zero_rated_bytes": int(free_bytes[sim, day]),
                "indeterminate_bytes": int(truth.usage.indeterminate_bytes[sim, day]),
            }
            row = found.pop(str(key), None)
            problem = "not reported" if row is None else _difference(row, expected)
            if problem:
                result.disagreements.append(f"SIM {key} on {document['day']}: {problem}")
        result.disagreements.extend(
            f"SIM {key} on {document['day']}: reported, and never existed"
            for key, row in found.items()
            if row["used_bytes"] or row["zero_rated_bytes"]
        )
    return result


def _difference(row: dict[str, Any], expected: dict[str, int]) -> str:
    differences = [
        f"{name} {row[name]:,}, expected {count:,}"
        for name, count in expected.items()
        if row[name] != count
    ]
    # What a split at midnight attributed alone never cuts a pupil off.
    known_bytes = expected["used_bytes"] - expected["indeterminate_bytes"]
    if (row["state"] == "EXHAUSTED") != (known_bytes >= QUOTA_BYTES):
        differences.append(f"{row['state']} with {known_bytes:,} bytes that are certain")
    return "; ".join(differences)


def compare_refusals(truth: Truth, stat: dict[str, Any]) -> Comparison:
    """Compare how many payloads and rows were refused for each reason, and how many rows came twice."""
    result = Comparison("refusals and repeats")
    refused: dict[str, int] = stat["refused"]
    for reason in sorted(truth.refused.keys() | refused.keys()):
        result.compared_count += 1
        found, expected = refused.get(reason, 0), truth.refused[reason]
        if found != expected:
            result.disagreements.append(f"{reason}: refused {found:,}, expected {expected:,}")
    result.compared_count += 1
    if stat["duplicate"] != truth.repeated_row_count:
        result.disagreements.append(
            f"rows sent twice: recognised {stat['duplicate']:,}, expected {truth.repeated_row_count:,}"
        )
    return result
