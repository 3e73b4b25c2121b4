"""The demo says what disagrees with the truth, and nothing else does."""

from functools import cache

import pytest

from phusong.dashboards.demo.comparison import (
    RIGHT,
    compare_coverage,
    compare_quota,
    compare_refusals,
)
from phusong.dashboards.demo.programme import Truth, make_programme
from phusong.dashboards.demo.season import USAGE_DAYS
from phusong.dashboards.demo.sites import Situation
from phusong.dashboards.demo.subscribers import QUOTA_BYTES


@cache
def truth() -> Truth:
    return make_programme(3, 30, 100, lambda *_: None).truth


def right_coverage() -> dict:
    return {
        "sites": [
            {
                "site_code": pair.site.site_code,
                "operator": pair.operator,
                "technology": "LTE",
                "verdict": "CONFLICTED"
                if pair.number in truth().falsely_claimed
                else min(RIGHT[pair.situation]),
            }
            for pair in truth().pairs
        ]
    }


def right_quota() -> list[dict]:
    usage, subscribers = truth().usage, truth().subscribers
    return [
        {
            "day": name,
            "sims": [
                {
                    "sim": str(key),
                    "used_bytes": int(usage.used_bytes[sim, day]),
                    "zero_rated_bytes": int(subscribers.zero_rated_bytes()[sim, day]),
                    "indeterminate_bytes": int(usage.indeterminate_bytes[sim, day]),
                    "state": "EXHAUSTED"
                    if usage.used_bytes[sim, day] - usage.indeterminate_bytes[sim, day]
                    >= QUOTA_BYTES
                    else "WITHIN",
                }
                for sim, key in enumerate(subscribers.subscriber_key.tolist())
            ],
        }
        for day, name in enumerate(USAGE_DAYS)
    ]


def right_stat() -> dict:
    return {"refused": dict(truth().refused), "duplicate": truth().repeated_row_count}


def test_the_right_verdicts_agree() -> None:
    result = compare_coverage(truth(), right_coverage())

    assert result.disagreements == []
    assert result.compared_count + result.undecided_count == len(truth().pairs)


def test_a_wrong_verdict_is_named_with_its_site_and_operator() -> None:
    document = right_coverage()
    covered = next(p for p in truth().pairs if p.situation is Situation.COVERED)
    document["sites"][covered.number]["verdict"] = "NOT_COVERED"

    (disagreement,) = compare_coverage(truth(), document).disagreements

    assert disagreement.startswith(
        f"{covered.site.site_code} {covered.operator}: found NOT_COVERED"
    )


def test_doubt_about_a_covered_site_is_a_disagreement() -> None:
    document = right_coverage()
    for row in document["sites"]:
        row["verdict"] = "INSUFFICIENT"

    result = compare_coverage(truth(), document)

    unmeasured = (Situation.HARDLY, Situation.UNTESTED, Situation.OLD)
    unknown = sum(p.situation in unmeasured for p in truth().pairs)
    assert result.agreed_count == unknown


def test_a_site_without_a_row_is_a_disagreement() -> None:
    result = compare_coverage(truth(), {"sites": []})

    assert result.agreed_count == 0


def test_the_right_volumes_agree() -> None:
    result = compare_quota(truth(), right_quota())

    assert result.disagreements == []
    assert result.compared_count == 200


@pytest.mark.parametrize("field", ["used_bytes", "zero_rated_bytes", "indeterminate_bytes"])
def test_one_byte_is_a_disagreement(field: str) -> None:
    documents = right_quota()
    documents[1]["sims"][0][field] += 1

    (disagreement,) = compare_quota(truth(), documents).disagreements

    assert field in disagreement


def test_a_pupil_cut_off_early_is_a_disagreement() -> None:
    documents = right_quota()
    within = next(row for row in documents[0]["sims"] if row["state"] == "WITHIN")
    within["state"] = "EXHAUSTED"

    assert len(compare_quota(truth(), documents).disagreements) == 1


def test_a_sim_that_never_existed_is_a_disagreement() -> None:
    documents = right_quota()
    documents[0]["sims"].append({"sim": "1", "used_bytes": 1, "zero_rated_bytes": 0})

    assert len(compare_quota(truth(), documents).disagreements) == 1


def test_refusals_agree_by_reason() -> None:
    assert compare_refusals(truth(), right_stat()).disagreements == []


def test_a_reason_nobody_expected_is_a_disagreement() -> None:
    stat = right_stat()
    stat["refused"]["TAC_OUT_OF_RANGE"] = 1

    assert compare_refusals(truth(), stat).disagreements == [
        "TAC_OUT_OF_RANGE: refused 1, expected 0"
    ]


def test_a_repeat_that_was_counted_is_a_disagreement() -> None:
    stat = right_stat() | {"duplicate": 0}

    assert len(compare_refusals(truth(), stat).disagreements) == 1
