from importlib import resources

import pytest

from phusong.kernels.registers import LineError
from phusong.verifier.disputes.limits import CONTENT_MAX_BYTES, Limits, default_limits, read_limits

SHIPPED = (
    resources.files("phusong.verifier.disputes").joinpath("limits.toml").read_text(encoding="utf-8")
)


def errors_of(text: str) -> str:
    found = read_limits(text.encode())
    assert isinstance(found, list)
    return "; ".join(f"{e.line} {e.column}: {e.message}" for e in found)


def test_the_shipped_limits_say_where_each_number_is_from() -> None:
    limits = default_limits()

    assert (limits.filing.limit_days, limits.filing.verified) == (90, False)
    assert (limits.rebuttal.limit_days, limits.rebuttal.verified) == (60, True)
    assert limits.rebuttal.in_favour_when_silent == "filer"
    assert "FCC" in limits.rebuttal.source


def test_the_digest_is_of_the_content_and_not_of_its_layout() -> None:
    other = read_limits(
        ("# a comment\n" + SHIPPED.replace("limit_days = 90", "limit_days=90")).encode()
    )
    changed = read_limits(SHIPPED.replace("limit_days = 90", "limit_days = 91").encode())

    assert isinstance(other, Limits)
    assert isinstance(changed, Limits)
    assert other.digest == default_limits().digest != changed.digest


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "limit_days = 90",
            "limit_days = 0",
            "10 filing.limit_days: found 0; expected a whole number, 1",
        ),
        ("limit_days = 90", "limit_days = true", "filing.limit_days"),
        ('= "filer"', '= "anybody"', '"filer" or "respondent"'),
        ("\nverified = false", "\nchecked = false", "filing.checked"),
        ("[rebuttal]", "[answer]", "rebuttal: found nothing"),
        ('id = "disputes-2021"', 'id = "Disputes 2021"', "1 to 64 characters"),
        ("[filing]", "[filing", "not TOML"),
    ],
)
def test_each_error_names_its_line_and_what_was_expected(old: str, new: str, words: str) -> None:
    assert words in errors_of(SHIPPED.replace(old, new, 1))


def test_what_is_no_text_is_an_error() -> None:
    assert read_limits(b"id = 1\n\xff") == [
        LineError(2, "", "byte 7 is not UTF-8; save the file as UTF-8", 1)
    ]
    assert "expected at most" in errors_of("#" * (CONTENT_MAX_BYTES + 1))
