"""Published reports against the journal."""

import json
from copy import deepcopy
from types import SimpleNamespace

import pytest

from phusong.dashboards import published
from phusong.dashboards.published import NoReport, report_differences

SITE = {
    "site_code": "A",
    "operator": "viettel",
    "technology": "LTE",
    "verdict": "COVERED",
    "counts": {"raw": 7, "bins": 3},
    "share": 0.5,
    "missing": ["a", "b"],
}
COVERAGE = {
    "as_of": "2021-12-31T16:59:59.999Z",
    "known_at": "2022-01-01T00:00:00.000Z",
    "policy": {"id": "p", "digest": "d"},
    "software": {"version": "1"},
    "journal": {"sequence": 9, "chain": "ff"},
    "sites": [SITE, SITE | {"site_code": "B"}],
}
QUOTA = {
    "day": "2021-10-01",
    "as_of": "2021-12-31T16:59:59.999Z",
    "known_at": "2022-01-01T00:00:00.000Z",
    "software": {"version": "1"},
    "journal": {"sequence": 9, "chain": "ff"},
    "quota_bytes": 4,
    "sims": [{"sim": "1", "used_bytes": 1}, {"sim": "2", "used_bytes": 2}],
    "totals": {"received": 3},
}


@pytest.fixture(params=[COVERAGE, QUOTA], ids=["coverage", "quota"])
def truth(request, monkeypatch):
    """What recomputing gives; states stand for themselves."""
    document = deepcopy(request.param)
    monkeypatch.setattr(published, "coverage_document", lambda *_: deepcopy(document))
    monkeypatch.setattr(published, "quota_document", lambda *_: deepcopy(document))
    return document


def build(horizon, until_sequence):
    assert horizon == (1_640_969_999_999, 1_640_995_200_000)
    assert until_sequence in {None, 9}
    return SimpleNamespace(reported=lambda *_: [], quota=SimpleNamespace(day=lambda day: day))


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, item in enumerate(value):
            yield from leaves(item, (*path, place))
    else:
        yield path


def replaced(document, path, value):
    changed = deepcopy(document)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def test_an_honest_report_has_no_differences_whatever_version_wrote_it(truth):
    report = json.loads(json.dumps(truth | {"software": {"version": "2"}}))

    assert report_differences(report, build) == []


def test_every_changed_field_is_found_and_named(truth):
    for path in leaves(truth):
        if path[0] in {"software", "as_of", "known_at", "day"} or path == ("journal", "sequence"):
            continue
        differences = report_differences(replaced(truth, path, "else"), build)

        assert differences, path
        assert any(str(path[-1]) in line or path[0] in line for line in differences)


def test_rows_left_out_doubled_or_made_up_are_found(truth):
    rows = "sites" if "sites" in truth else "sims"
    key = "site_code" if rows == "sites" else "sim"
    made_up = truth[rows][0] | {key: "Z"}

    assert report_differences(truth | {rows: [*truth[rows], made_up]}, build)
    assert report_differences(truth | {rows: [*truth[rows], truth[rows][0]]}, build)
    assert report_differences(truth | {rows: []}, build)


def test_a_report_on_one_row_is_compared_with_that_row(truth):
    rows = "sites" if "sites" in truth else "sims"

    assert report_differences(truth | {rows: truth[rows][:1]}, build) == []


def test_a_dispute_taken_out_of_a_report_is_found(monkeypatch):
    marked = SITE | {"overlay": "DISPUTED", "disputes": [{"dispute": "D1.0"}]}
    truth = COVERAGE | {"sites": [marked]}
    monkeypatch.setattr(published, "coverage_document", lambda *_: deepcopy(truth))

    found = report_differences(COVERAGE | {"sites": [SITE]}, build)

    assert len(found) == 2
    assert "overlay: published 'nothing', recomputed 'DISPUTED'" in found[0]


def test_a_report_from_before_there_were_disputes_says_nothing_of_them(monkeypatch):
    truth = COVERAGE | {"sites": [SITE | {"overlay": None, "disputes": ()}]}
    monkeypatch.setattr(published, "coverage_document", lambda *_: deepcopy(truth))

    assert report_differences(COVERAGE | {"sites": [SITE]}, build) == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"as_of": "2021-12-31", "known_at": "2021-12-31"},
        {
            "as_of": "2021-12-31",
            "known_at": "2021-12-31",
            "journal": {"sequence": "1"},
            "sites": [],
        },
        {"as_of": 1, "known_at": 2, "journal": {"sequence": 1}, "sites": []},
        {"as_of": "2021-12-31", "known_at": "2021-12-31", "journal": {"sequence": 1}, "sims": []},
    ],
)
def test_other_documents_are_no_reports(document):
    with pytest.raises(NoReport):
        report_differences(document, build)


@pytest.mark.parametrize(("version", "count"), [("1", 1), ("0", 0)])
def test_a_field_may_be_missing_only_where_older_software_wrote_the_report(
    monkeypatch, version, count
):
    truth = COVERAGE | {"sites": [SITE | {"floors": []}]}
    monkeypatch.setattr(published, "coverage_document", lambda *_: deepcopy(truth))
    report = COVERAGE | {"sites": [SITE], "software": {"version": version}}

    assert len(report_differences(report, build)) == count
