"""What people read of a row: dates as in Vietnam, parts, tests and silences in words."""

from phusong.dashboards.tables import milestones_text, part_text
from phusong.dashboards.tables import test_text as text_of_test

NOTHING = {
    "claimed_on_air": None,
    "first_telemetry": None,
    "last_telemetry": None,
    "first_verified": None,
    "heartbeat_gap_count": None,
    "heartbeat_gap_ms": None,
    "heartbeat_gap_longest_ms": None,
    "lost_batch_count": None,
}
SHARE = {"share": 0.98, "lower_bound": 0.9512, "upper_bound": 0.9991}


def test_milestones_are_dates_as_people_in_vietnam_write_them() -> None:
    found = NOTHING | {"claimed_on_air": "2021-09-30T17:30:00Z", "first_verified": "2021-10-04"}

    text = milestones_text(found)

    assert "claimed on air 01/10/2021 00:30" in text
    assert "first telemetry –" in text
    assert text.endswith("first verified 04/10/2021")


def test_silences_and_losses_are_told_where_there_are_any() -> None:
    gaps = {"heartbeat_gap_count": 2, "heartbeat_gap_ms": 5_400_000, "lost_batch_count": 1_234}

    text = milestones_text(NOTHING | gaps)

    assert "stations silent 2× (1.5 h)" in text
    assert "batches lost 1,234" in text
    assert "silent" not in milestones_text(NOTHING | {"heartbeat_gap_count": 0})


def test_a_part_is_told_with_how_much_of_it_was_surveyed() -> None:
    part = {"part": "cụm", "verdict": "COVERED", "surveyed_count": 40, "place_count": 52} | SHARE

    assert str(part_text(part)) == "● Đạt · COVERED 40/52 ô · cells, 98.0 % (95.1–100.0)"


def test_a_test_is_told_with_its_bound_and_unit() -> None:
    found = SHARE | {
        "measure": "download",
        "standing": "MET",
        "bound": 2_500_000,
        "median": 9_000_000,
        "sample_count": 1_576,
        "place_count": 52,
    }

    text = text_of_test(found)

    assert "≥ 2,500,000 bit/s, trung vị · median 9,000,000 bit/s" in text
    assert text.endswith("as asked")
    access = found | {"measure": "access", "bound": None, "median": None, "standing": "NOT_ASKED"}
    assert "bit/s" not in text_of_test(access)
