import re
from importlib import resources

import pytest

from phusong.kernels.radio import RAT_NAMES
from phusong.verifier.coverage.policy import DEFAULT_FILE, Policy, default_policy, read_policy

TEXT = resources.files("phusong.verifier.coverage").joinpath(DEFAULT_FILE).read_text("utf-8")
LTE, NR = RAT_NAMES.index("LTE"), RAT_NAMES.index("NR")


def errors(text: str) -> list[tuple[int, str]]:
    found = read_policy(text.encode())
    assert isinstance(found, list)
    return [(error.line, error.column) for error in found]


def line_of(part: str) -> int:
    return next(n for n, line in enumerate(TEXT.splitlines(), 1) if line.startswith(part))


def test_the_default_policy_is_that_of_the_plan() -> None:
    policy = default_policy()

    assert policy.id == "plan3667-mobile-internet"
    assert policy.effective_from.isoformat() == "2021-09-21"
    assert policy.counted_rats == (LTE, NR)
    assert (policy.share.permille, policy.share.confidence_permille) == (950, 950)
    assert (policy.minimum.devices, policy.minimum.windows, policy.minimum.days) == (2, 2, 2)
    assert (policy.minimum.window_gap_hours, policy.time.validity_days) == (4, 365)
    assert policy.technology(LTE).floor_dbm == -121
    assert policy.technology(LTE).reported_tiers_dbm == (-110, -105)


def test_no_floor_is_called_verified_that_nobody_read_in_its_source() -> None:
    assert not any(technology.verified for technology in default_policy().technologies)


def test_floors_are_the_policys_then_its_sensitivity_then_the_tiers() -> None:
    floors = default_policy().floors_dbm()

    assert floors[LTE, :7].tolist() == [-121, -127, -124, -118, -115, -110, -105]
    assert (floors[RAT_NAMES.index("UMTS")] == float("inf")).all()


def test_layout_and_comments_are_no_part_of_a_policy() -> None:
    bare = re.sub(r"(?m)^#.*$|(?<=\S) +# .*$", "", TEXT)

    assert bare != TEXT
    assert read_policy(bare.encode()) == default_policy()


def test_every_value_is_part_of_a_policy() -> None:
    other = read_policy(TEXT.replace('"ours"', '"theirs"').encode())

    assert isinstance(other, Policy)
    assert other.digest != default_policy().digest


def test_3g_is_selectable() -> None:
    other = read_policy(TEXT.replace("counts = false", "counts = true").encode())

    assert isinstance(other, Policy)
    assert [RAT_NAMES[rat] for rat in other.counted_rats] == ["LTE", "NR", "UMTS"]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('id = "plan', 'id = "Plan', "id"),
        ("effective_from = 2021-09-21", "effective_from = 2021", "effective_from"),
        ('effective_until = "open"', "effective_until = 2020-01-01", "effective_until"),
        ("permille = 950\n", "permille = 1001\n", "share.permille"),
        ("permille = 950\n", "permille = 0.95\n", "share.permille"),
        ("devices = 2", "devices = true", "minimum.devices"),
        ("devices = 2\n", "", "minimum.devices"),
        ("devices = 2", "devices = 2\nphones = 2", "minimum.phones"),
        ("window_hours = 4", "window_hours = 5", "time.window_hours"),
        ("measuring_hour_end = 22", "measuring_hour_end = 6", "time.measuring_hour_end"),
        ("cluster_size_m = 200", "cluster_size_m = 120", "place.cluster_size_m"),
        ('rat = "UMTS"', 'rat = "3G"', "technologies[2].rat"),
        ('rat = "UMTS"', 'rat = "NR"', "technologies[2].rat"),
        ("floor_dbm = -100", "floor_dbm = -130", "technologies[2].floor_dbm"),
        ("[-95, -90]", "[-95, -90, -85, -80]", "technologies[2].reported_tiers_dbm"),
        ("counts = true", "counts = false", "technologies"),
    ],
)
def test_an_error_names_its_key(old: str, new: str, column: str) -> None:
    assert column in [key for _, key in errors(TEXT.replace(old, new))]


def test_an_error_names_its_line_what_was_found_and_what_was_expected() -> None:
    (error,) = read_policy(TEXT.replace("validity_days = 365", 'validity_days = "a year"').encode())

    assert error.line == line_of("validity_days")
    assert error.message == "found 'a year'; expected a whole number, 1 to 3660 days"


@pytest.mark.parametrize("content", [b"\xff", b"id = ", b"#" * 70_000])
def test_what_is_no_toml_is_an_error(content: bytes) -> None:
    assert isinstance(read_policy(content), list)
