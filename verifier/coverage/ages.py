"""How old the evidence is that covered sites rest on: what will have to be measured again, and how soon."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from phusong.kernels.days import DAY_MS
from phusong.verifier.coverage.records import SiteVerdict, Verdict

# Time enough to plan drives; a site that nobody visits until then becomes STALE.
EXPIRY_AHEAD_DAYS = 30


@dataclass(frozen=True, slots=True)
class EvidenceAges:
    """The rows that are COVERED, by the newest reading each rests on.

    Ages by list, in ms. expiring: by (list, operator), rows whose last evidence is not valid any more within EXPIRY_AHEAD_DAYS.
    """

    oldest_ms: dict[str, int]
    median_ms: dict[str, int]
    expiring: dict[tuple[str, str], int]


def evidence_ages(rows: Iterable[SiteVerdict], validity_days: int, as_of_ms: int) -> EvidenceAges:
    """Return the ages of the evidence as of a time."""
    ages: defaultdict[str, list[int]] = defaultdict(list)
    expiring: Counter[tuple[str, str]] = Counter()
    expires_after_ms = (validity_days - EXPIRY_AHEAD_DAYS) * DAY_MS
    for row in rows:
        age_ms = observed_age_ms(row, as_of_ms)
        if row.verdict is Verdict.COVERED and age_ms is not None:
            ages[row.list].append(age_ms)
            expiring[row.list, row.operator] += age_ms > expires_after_ms
    return EvidenceAges(
        {name: max(found) for name, found in ages.items()},
        {name: sorted(found)[len(found) // 2] for name, found in ages.items()},
        dict(expiring),
    )


def observed_age_ms(row: SiteVerdict, as_of_ms: int) -> int | None:
    """Return the age of the newest reading a row rests on, None where there is none."""
    if row.last_observed is None:
        return None
    observed_ms = round(datetime.fromisoformat(row.last_observed).timestamp() * 1000)
    return max(as_of_ms - observed_ms, 0)
