"""Reasons are in published reports: their names and values never change."""

import pytest

from phusong.kernels.reject import TAKEN, Reject, reason_name

GOLDEN = {
    "EMPTY": 1,
    "TRUNCATED": 2,
    "MALFORMED": 3,
    "MISTYPED": 4,
    "TOO_LARGE": 5,
    "TOO_MANY_ROWS": 6,
    "NOT_UTF8": 7,
    "NOT_JSON": 8,
    "BAD_TOPIC": 9,
    "BAD_SOURCE": 10,
    "SOURCE_MISMATCH": 11,
    "UNKNOWN_SOURCE": 12,
    "BAD_OPERATOR": 13,
    "NO_ROWS": 14,
    "CREDENTIAL_MISSING": 15,
    "CREDENTIAL_UNKNOWN": 16,
    "OPERATOR_FORBIDDEN": 17,
    "TOPIC_FORBIDDEN": 18,
    "SEQUENCE_UNTRACKED": 19,
    "KEY_MISSING": 100,
    "TIME_MISSING": 101,
    "CLOCK_FAR": 102,
    "RAT_UNKNOWN": 103,
    "LEVEL_MISSING": 104,
    "LEVEL_OUT_OF_RANGE": 105,
    "QUALITY_OUT_OF_RANGE": 106,
    "POSITION_MISSING": 107,
    "POSITION_OUT_OF_RANGE": 108,
    "POSITION_INACCURATE": 109,
    "PLMN_INVALID": 110,
    "SERVING_NETWORK_UNKNOWN": 111,
    "CELL_IDENTITY_OUT_OF_RANGE": 112,
    "PCI_OUT_OF_RANGE": 113,
    "TAC_OUT_OF_RANGE": 114,
    "TEST_RESULT_OUT_OF_RANGE": 115,
    "SPEED_IMPOSSIBLE": 116,
    "ENUM_UNKNOWN": 117,
    "COUNTER_OUT_OF_RANGE": 118,
    "COUNTER_ABSURD": 119,
    "COUNTER_WENT_BACK": 120,
    "INTERVAL_INVALID": 121,
    "SITE_UNKNOWN": 122,
    "LOAD_OUT_OF_RANGE": 123,
    "HISTOGRAM_INVALID": 124,
    "SEQUENCE_MISSING": 125,
    "NOT_A_SERVING_CELL": 126,
    "ROW_KIND_FORBIDDEN": 127,
    "SITE_FORBIDDEN": 128,
    "SUBSCRIBER_FORBIDDEN": 129,
    "SEQUENCE_NEEDED": 130,
    "SPEED_IMPLIED": 131,
    "LEVEL_STUCK": 132,
    "CELL_STUCK": 133,
    "POSITION_SHARED": 134,
    "LEVEL_ABOVE_FREE_SPACE": 135,
    "RULED_OUT": 136,
    "RESERVATION_STALE": 148,
    "RESERVATION_TOO_MANY": 149,
    "COLUMN_MISSING": 200,
    "NOT_A_NUMBER": 201,
    "NOT_A_TIME": 202,
    "UNKNOWN_VALUE": 203,
    "TOO_FEW_FIELDS": 204,
    "TOO_MANY_FIELDS": 205,
    "LINE_TOO_LONG": 206,
}


def test_published_reasons_keep_their_names_and_values() -> None:
    assert {name: Reject[name].value for name in GOLDEN} == GOLDEN


def test_a_new_reason_is_frozen_here_too() -> None:
    assert {reason.name for reason in Reject} == set(GOLDEN)


@pytest.mark.parametrize("reason", Reject)
def test_every_reason_has_the_name_that_receipts_show(reason: Reject) -> None:
    assert reason_name(reason.value) == reason.name


def test_zero_is_no_reason() -> None:
    assert TAKEN == 0
    assert reason_name(TAKEN) == "TAKEN"
    assert 0 not in set(Reject)


def test_reasons_lie_in_the_range_of_what_they_concern() -> None:
    assert {reason.value // 100 for reason in Reject} == {0, 1, 2}
