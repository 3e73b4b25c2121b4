"""What is unproven, in words and numbers: each sentence says what evidence would decide."""

from collections.abc import Mapping

from phusong.verifier.coverage.records import Verdict
from phusong.verifier.programme.terms import Obligation

UNDECIDED = {
    Verdict.UNTESTED: "sites where nothing that counts was measured",
    Verdict.INSUFFICIENT: "sites with too little evidence: `phusong coverage` says of each what is missing",
    Verdict.CONFLICTED: "sites where sources contradict each other",
    Verdict.STALE: "sites whose evidence is older than its validity: measure them again",
    Verdict.DISPUTED: "sites under dispute",
}


def of_coverage(
    obligation: Obligation,
    listed_count: int,
    of_verdict: Mapping[Verdict, int],
    claimed_count: int,
) -> tuple[str, ...]:
    """Return what is unproven of the sites of a list."""
    target = obligation.target_count or 0
    unproven = [f"{of_verdict[v]:,} {words}" for v, words in UNDECIDED.items() if of_verdict.get(v)]
    covered_count = of_verdict.get(Verdict.COVERED, 0)
    if claimed_count > covered_count:
        unproven.append(
            f"{claimed_count:,} sites are claimed to be on air, {covered_count:,} are proven: a claim proves nothing"
        )
    if listed_count < target:
        unproven.append(
            f"{target - listed_count:,} of {target:,} promised sites are in no list: add them with"
            " `phusong registry add sites FILE`"
        )
    elif listed_count > target:
        unproven.append(
            f"the list {obligation.list} has {listed_count:,} sites, {target:,} were promised"
        )
    return tuple(unproven)


def of_handovers(
    obligation: Obligation, recorded_count: int | None, heard_count: int
) -> tuple[str, ...]:
    """Return what is unproven of computers given."""
    unproven = []
    if obligation.target_count is None:
        unproven.append(
            "the plan names a share of pupils and no number: how many there are is not known"
        )
    if recorded_count is None:
        unproven.append(
            "no handover is recorded: add records with `phusong registry add handovers FILE`"
        )
    elif recorded_count > heard_count:
        unproven.append(
            f"{recorded_count - heard_count:,} handovers are recorded whose SIM was never heard of within its months"
        )
    if obligation.target_count is not None and recorded_count is not None:
        absent = obligation.target_count - recorded_count
        if absent > 0:
            unproven.append(f"{absent:,} handovers of {obligation.target_count:,} are not recorded")
    return tuple(unproven)


def of_data(
    obligation: Obligation, entitled_count: int | None, heard_count: int
) -> tuple[str, ...]:
    """Return what is unproven of the free volume."""
    unproven = []
    if entitled_count is None:
        unproven.append(
            "nobody is registered: add entitlements with `phusong registry add sims FILE`"
        )
    elif entitled_count > heard_count:
        unproven.append(
            f"{entitled_count - heard_count:,} entitled SIMs were never heard of: not provisioned, or not reported"
        )
    if entitled_count is not None and obligation.target_count is not None:
        absent = obligation.target_count - entitled_count
        if absent > 0:
            unproven.append(f"{absent:,} pupils of {obligation.target_count:,} are not registered")
    unproven.append(
        "that each could use the whole volume on each day: `phusong quota --day D` shows use, not denial"
    )
    return tuple(unproven)


def of_platforms(platform_count: int | None) -> tuple[str, ...]:
    """Return what is unproven of the learning platforms."""
    if platform_count is None:
        return ("no list is published here: add it with `phusong registry add platforms FILE`",)
    return ("that every byte to them was free: sources class their traffic themselves",)


def of_support(obligation: Obligation, *, is_met: bool) -> tuple[str, ...]:
    """Return what is unproven of what no telemetry shows."""
    if is_met:
        return (f"stated, not measured: {obligation.evidence}",)
    return ("no telemetry shows it: state met_on and evidence in the programme file",)
