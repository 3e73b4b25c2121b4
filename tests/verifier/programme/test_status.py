"""How an obligation stands: doubt is neither met nor missed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from phusong.verifier.coverage.records import Verdict
from phusong.verifier.programme.pupils import Pupils
from phusong.verifier.programme.reading import read_programme
from phusong.verifier.programme.status import Knowledge, Standing, Status, programme_status
from phusong.verifier.programme.terms import Programme
from phusong.verifier.registry.sites import Site, SitePart, SiteRegister

DAY_MS = 86_400_000
UNIX_DAY = date(1970, 1, 1)
COVERED, REFUTED, UNTESTED = Verdict.COVERED, Verdict.NOT_COVERED, Verdict.UNTESTED


def end_of_day_ms(day: str) -> int:
    return ((date.fromisoformat(day) - UNIX_DAY).days + 1) * DAY_MS - 1


def site(code: str) -> Site:
    return Site(code, code, "02", "A", ("viettel",), (SitePart("centre", 22.8, 105, 500, ()),))


def knowledge(
    as_of: str, known: Mapping[str, Mapping[str, Verdict]], **others: object
) -> Knowledge:
    """Verdicts by day; the sites are those of the last day."""
    by_ms = {end_of_day_ms(day): verdicts for day, verdicts in known.items()}
    codes = sorted(next(reversed(by_ms.values())))
    values = {
        "as_of_ms": end_of_day_ms(as_of),
        "confidence": 0.95,
        "sites": SiteRegister(tuple(site(code) for code in codes)),
        "verdicts_as_of": by_ms.__getitem__,
        "end_of_day_ms": end_of_day_ms,
        "pupils": Pupils(None, None),
        "platform_count": None,
    }
    return Knowledge(**(values | others))  # type: ignore[arg-type]  # fields by name


def obligation(lines: str) -> Programme:
    text = f'[programme]\nid = "p"\n[[obligation]]\nid = "o"\nsource = "s"\n{lines}'
    programme = read_programme(text.encode())
    assert isinstance(programme, Programme), programme
    return programme


def coverage(target_count: int = 2) -> Programme:
    return obligation(
        f'kind = "coverage"\nlist = "A"\ntarget_count = {target_count}\ndeadline = 2021-09-30'
    )


def status(programme: Programme, known: Knowledge) -> Status:
    (found,) = programme_status(programme, known)
    return found


def test_all_sites_covered_on_the_day_of_the_deadline_meet_it() -> None:
    both = {"s1": COVERED, "s2": COVERED}

    found = status(coverage(), knowledge("2021-12-31", {"2021-09-30": both, "2021-12-31": both}))

    assert found.standing is Standing.MET
    assert (found.verified_count, found.verified_by_deadline_count) == (2, 2)


def test_coverage_after_the_deadline_is_not_coverage_by_it() -> None:
    then, now = {"s1": COVERED, "s2": UNTESTED}, {"s1": COVERED, "s2": COVERED}

    found = status(coverage(), knowledge("2021-12-31", {"2021-09-30": then, "2021-12-31": now}))

    assert found.standing is Standing.UNPROVEN
    assert (found.verified_count, found.verified_by_deadline_count) == (2, 1)


def test_one_site_proven_uncovered_on_the_day_is_a_promise_not_kept() -> None:
    then, now = {"s1": COVERED, "s2": REFUTED}, {"s1": COVERED, "s2": COVERED}

    found = status(coverage(), knowledge("2021-12-31", {"2021-09-30": then, "2021-12-31": now}))

    assert found.standing is Standing.NOT_MET


def test_before_its_deadline_an_obligation_is_running() -> None:
    found = status(coverage(), knowledge("2021-09-29", {"2021-09-29": {"s1": REFUTED}}))

    assert found.standing is Standing.RUNNING
    assert found.verified_by_deadline_count is None


def test_a_site_in_no_list_is_unproven_and_never_left_out_of_the_target() -> None:
    known = {"2021-09-30": {"s1": COVERED}, "2021-12-31": {"s1": COVERED}}

    found = status(coverage(target_count=283), knowledge("2021-12-31", known))

    assert found.standing is Standing.UNPROVEN
    assert (found.stated_count, found.unproven_count) == (1, 282)
    assert any("282 of 283" in words for words in found.unproven)


def test_the_bound_allows_for_verdicts_that_are_wrong() -> None:
    """At 95 % a verdict, 100 of them hold at most 9 wrong ones with 95 % confidence (binomial)."""
    all_covered = {f"s{n}": COVERED for n in range(100)}
    known = {"2021-09-30": all_covered, "2021-12-31": all_covered}

    found = status(coverage(target_count=100), knowledge("2021-12-31", known))

    assert found.verified_lower_bound == 91


def test_nothing_verified_has_the_bound_zero() -> None:
    known = {"2021-09-30": {"s1": UNTESTED}, "2021-12-31": {"s1": UNTESTED}}

    assert status(coverage(), knowledge("2021-12-31", known)).verified_lower_bound == 0


def pupils() -> Pupils:
    """Three handovers, in September, October and the January after; the first SIM was heard of."""
    days = [(date.fromisoformat(day) - UNIX_DAY).days for day in HANDOVERS]
    return Pupils(np.array(days), np.array([True, False, True]))


HANDOVERS = ("2021-09-30", "2021-10-01", "2022-01-02")
COMPUTERS = 'kind = "handovers"\ntarget_count = 2\nbegins = 2021-09-21\ndeadline = 2021-12-31'
NO_SITES: dict[str, dict[str, Verdict]] = {"2022-01-05": {}}


def test_a_handover_counts_as_stated_until_its_sim_was_heard_of() -> None:
    found = status(obligation(COMPUTERS), knowledge("2022-01-05", NO_SITES, pupils=pupils()))

    assert (found.stated_count, found.verified_count, found.unproven_count) == (2, 1, 1)
    assert found.standing is Standing.UNPROVEN


def test_as_many_computers_as_promised_and_heard_of_meet_the_promise() -> None:
    programme = obligation(COMPUTERS.replace("target_count = 2", "target_count = 1"))

    found = status(programme, knowledge("2022-01-05", NO_SITES, pupils=pupils()))

    assert found.standing is Standing.MET


def test_a_promise_without_a_number_is_never_met_by_counting() -> None:
    programme = obligation(COMPUTERS.replace("target_count = 2\n", ""))

    found = status(programme, knowledge("2022-01-05", NO_SITES, pupils=pupils()))

    assert found.standing is Standing.UNPROVEN
    assert found.unproven_count is None


def test_without_a_register_of_sims_nothing_is_stated() -> None:
    found = status(obligation('kind = "data"'), knowledge("2022-01-05", NO_SITES))

    assert found.stated_count is None
    assert found.standing is Standing.UNPROVEN


@pytest.mark.parametrize(
    ("met_on", "standing"),
    [("2021-12-01", Standing.MET), ("2022-01-01", Standing.NOT_MET), (None, Standing.UNPROVEN)],
)
def test_support_stands_as_the_file_states(met_on: str | None, standing: Standing) -> None:
    lines = 'kind = "support"\ndeadline = 2021-12-31\n'
    if met_on is not None:
        lines += f'met_on = {met_on}\nevidence = "minutes of handover 17"'

    assert status(obligation(lines), knowledge("2022-01-05", NO_SITES)).standing is standing


def test_what_is_stated_for_a_later_day_is_not_yet_met() -> None:
    lines = 'kind = "support"\nmet_on = 2022-02-01\nevidence = "minutes"'

    found = status(obligation(lines), knowledge("2022-01-05", NO_SITES))

    assert found.standing is Standing.UNPROVEN


def test_a_published_list_is_no_proof_that_its_use_was_free() -> None:
    known = replace(knowledge("2022-01-05", NO_SITES), platform_count=7)

    found = status(obligation('kind = "platforms"'), known)

    assert (found.stated_count, found.verified_count) == (7, None)
    assert found.standing is Standing.UNPROVEN


def test_a_claim_is_counted_beside_the_proof_and_never_as_it() -> None:
    """Of the list two of three sites are claimed, one of them proven; a claim of another list is none of it."""
    sites = {"s1": COVERED, "s2": UNTESTED, "s3": UNTESTED}
    known = knowledge(
        "2021-12-31",
        {"2021-09-30": sites, "2021-12-31": sites},
        claimed_sites=frozenset({"s1", "s2", "elsewhere"}),
    )

    found = status(coverage(target_count=3), known)

    assert (found.claimed_count, found.verified_count) == (2, 1)
    assert found.standing is Standing.UNPROVEN
    assert any(
        "2 sites are claimed to be on air, 1 are proven" in words for words in found.unproven
    )
