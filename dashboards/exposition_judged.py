"""Verdicts, obligations and the quota, as the verifier last judged them, as metric families."""

from collections.abc import Iterator

from phusong.dashboards.families import Family, counter, gauge, gauges
from phusong.kernels.days import DAY_MS
from phusong.verifier.programme.standing import ObligationFigures
from phusong.verifier.programme.status import Standing
from phusong.verifier.quota.figures import QuotaFigures
from phusong.verifier.status import Judgement

SECOND_MS = 1000
# Of an obligation: what each number means, and which it is; sites, pupils or platforms.
COUNTS = (
    ("target", "What was promised: sites, pupils or platforms.", "target_count"),
    ("stated", "What lists and records state.", "stated_count"),
    (
        "claimed",
        "Sites that base stations claim to be on air at; a claim proves nothing.",
        "claimed_count",
    ),
    ("verified", "What telemetry shows.", "verified_count"),
    (
        "verified_by_deadline",
        "What telemetry shows of the day of the deadline, once it has passed.",
        "verified_by_deadline_count",
    ),
    (
        "verified_lower_bound",
        "At least so many of the verified are right, at 95 %.",
        "verified_lower_bound",
    ),
    (
        "refuted",
        "Sites proven not to be covered by any of their operators.",
        "refuted_count",
    ),
    ("unproven", "Target less verified less refuted.", "unproven_count"),
)
SHARES = (("verified", "verified_count"), ("verified_lower_bound", "verified_lower_bound"))
OUTCOMES = ("received", "counted", "duplicate", "stale", "rejected", "quarantined")


def judgement_families(judgement: Judgement) -> Iterator[Family]:
    """Yield everything that is judged at intervals and not with each frame."""
    yield gauge(
        "phusong_judged_timestamp_seconds",
        "When sites and SIMs were last judged, by the service's clock.",
        judgement.as_of_ms / SECOND_MS,
    )
    yield from _site_count_families(judgement)
    yield from _obligation_families(judgement)
    yield from _quota_families(judgement.quota)
    yield gauge(
        "phusong_ledger_closings", "Days that the ledger has closed.", judgement.closed_day_count
    )
    yield counter(
        "phusong_ledger_adjustments",
        "Entries of closed days that were changed by late or newly rated data.",
        judgement.adjustment_count,
    )
    yield gauges(
        "phusong_conservation_difference",
        "What came in less what became of it, by the law that says they are equal; always 0.",
        ["law"],
        {
            (f"quota_readings_{day}",): 2 * figures.readings["received"]
            - sum(figures.readings[outcome] for outcome in OUTCOMES)
            for day, figures in judgement.quota.items()
        },
    )


def _site_count_families(judgement: Judgement) -> Iterator[Family]:
    yield gauges(
        "phusong_sites",
        "Site rows (site, operator, technology) by list, operator and verdict.",
        ["list", "operator", "verdict"],
        judgement.sites,
    )
    yield gauges(
        "phusong_disputed_sites",
        "Site rows whose verdict is under dispute, or was and is not yet proven anew.",
        ["list", "operator"],
        judgement.disputed,
    )
    yield gauges(
        "phusong_disputes",
        "Disputes about verdicts by state; OPEN and REBUTTED are open.",
        ["state"],
        {(state,): count for state, count in judgement.disputes.items()},
    )
    yield gauges(
        "phusong_quarantined_readings",
        "Readings taken and set aside again by the plausibility screen; those in two sites count twice.",
        ["operator", "reason"],
        judgement.quarantined,
    )
    evidence = judgement.evidence
    yield gauges(
        "phusong_expiring_sites",
        "Covered site rows whose last evidence loses its validity within 30 days.",
        ["list", "operator"],
        evidence.expiring,
    )
    for name, documentation, ages_ms in (
        ("oldest", "Age of the newest reading of the covered site row where it is oldest.", evidence.oldest_ms),
        ("median", "Age of the newest reading of a covered site row, in the middle.", evidence.median_ms),
    ):  # fmt: skip
        yield gauges(
            f"phusong_evidence_{name}_age_seconds",
            documentation,
            ["list"],
            {(of_list,): age_ms / SECOND_MS for of_list, age_ms in ages_ms.items()},
        )
    yield gauge(
        "phusong_evidence_validity_seconds",
        "How long a reading is valid by the policy in force.",
        judgement.validity_days * DAY_MS / SECOND_MS,
    )


def _obligation_families(judgement: Judgement) -> Iterator[Family]:
    obligations = judgement.obligations
    yield gauges(
        "phusong_obligation_standing",
        "1 for how an obligation of the programme stands now, 0 for the others.",
        ["obligation", "standing"],
        {
            (each.status.id, str(standing)): standing is each.status.standing
            for each in obligations
            for standing in Standing
        },
    )
    for name, documentation, field in COUNTS:
        yield _of_obligations(obligations, name, documentation, field)
    for name, field in SHARES:
        yield gauges(
            f"phusong_obligation_{name}_ratio",
            f"phusong_obligation_{name} as a share of the target.",
            ["obligation"],
            {
                (each.status.id,): count / each.status.target_count
                for each in obligations
                if (count := getattr(each.status, field)) is not None and each.status.target_count
            },
        )
    deadlines = {
        (each.status.id,): each.deadline_ms for each in obligations if each.deadline_ms is not None
    }
    yield gauges(
        "phusong_obligation_deadline_timestamp_seconds",
        "The end of the day of the deadline in Vietnam.",
        ["obligation"],
        {at: deadline_ms / SECOND_MS for at, deadline_ms in deadlines.items()},
    )
    yield gauges(
        "phusong_obligation_time_left_seconds",
        "Time until the deadline by the service's clock when it was judged; negative once it has passed.",
        ["obligation"],
        {
            at: (deadline_ms - judgement.as_of_ms) / SECOND_MS
            for at, deadline_ms in deadlines.items()
        },
    )


def _of_obligations(
    obligations: tuple[ObligationFigures, ...], name: str, documentation: str, field: str
) -> Family:
    """Return one number of each obligation that has it."""
    return gauges(
        f"phusong_obligation_{name}",
        documentation,
        ["obligation"],
        {
            (each.status.id,): value
            for each in obligations
            if (value := getattr(each.status, field)) is not None
        },
    )


def _quota_families(quota: dict[str, QuotaFigures]) -> Iterator[Family]:
    yield gauges(
        "phusong_quota_sims",
        "SIM-days by state.",
        ["day", "state"],
        {
            (day, state): count
            for day, figures in quota.items()
            for state, count in figures.sims.items()
        },
    )
    yield gauges(
        "phusong_quota_bytes",
        "Bytes of a day by class: metered and surely of the day, metered and attributed by a midnight split, free of charge.",
        ["day", "class"],
        {
            (day, name): getattr(figures, f"{name}_bytes")
            for day, figures in quota.items()
            for name in ("determinate", "indeterminate", "zero_rated")
        },
    )
    for name, documentation in (
        ("overshoot", "Bytes that entitled SIMs used beyond the free volume of a day."),
        ("overshoot_max", "Bytes that one SIM used beyond the free volume of a day, at the most."),
        (
            "charged",
            "Bytes that their source counts towards quotas, of platforms whose use is free.",
        ),
    ):
        yield gauges(
            f"phusong_quota_{name}_bytes",
            documentation,
            ["day"],
            {(day,): getattr(figures, f"{name}_bytes") for day, figures in quota.items()},
        )
    yield gauges(
        "phusong_quota_readings",
        "Usage readings of a day by outcome: received is the sum of the others.",
        ["day", "outcome"],
        {
            (day, outcome): figures.readings[outcome]
            for day, figures in quota.items()
            for outcome in OUTCOMES
        },
    )
