"""The version of a programme that is in force on a day: by effective date, then by entry."""

from datetime import date

import pytest

from phusong.verifier.programme.versions import programme_in_force
from phusong.verifier.registry.entries import RegistryHistory, Version

OBLIGATION = '[[obligation]]\nid = "o"\nsource = "s"\n'


def version(sequence: int, title: str, effective_from: str | None) -> Version:
    since = f"effective_from = {effective_from}\n" if effective_from else ""
    text = f'[programme]\nid = "p"\ntitle = "{title}"\n{since}{OBLIGATION}'
    return Version(sequence, sequence * 1000, f"{title}.toml", text.encode())


PHASE_2 = version(5, "phase 2", "2022-01-01")
MENDED = version(6, "mended", "2021-09-21")
ALWAYS = version(7, "always", None)


def title(versions: list[Version], day: str) -> str:
    return programme_in_force(versions, date.fromisoformat(day)).programme.programme.title


@pytest.mark.parametrize(
    ("versions", "day", "expected"),
    [
        ([], "2021-10-01", "Sóng và máy tính cho em"),
        ([PHASE_2], "2021-12-31", "Sóng và máy tính cho em"),  # not yet in force
        ([PHASE_2], "2022-01-01", "phase 2"),
        ([PHASE_2, MENDED], "2021-12-31", "mended"),  # of one date, entered later
        ([PHASE_2, MENDED], "2022-01-01", "phase 2"),  # of a later date
        ([PHASE_2, MENDED, ALWAYS], "2022-01-01", "always"),
        ([ALWAYS, PHASE_2], "2021-12-31", "always"),
        ([ALWAYS, PHASE_2], "2022-01-01", "phase 2"),
        ([PHASE_2], "2020-01-01", "Sóng và máy tính cho em"),
    ],
)
def test_the_version_in_force_is_that_of_the_day(
    versions: list[Version], day: str, expected: str
) -> None:
    assert title(versions, day) == expected


def test_what_was_entered_later_is_no_answer_to_what_was_known() -> None:
    history = RegistryHistory({"programme": [MENDED, ALWAYS]})

    assert title(history.all_known("programme", 6_999), "2021-10-01") == "mended"
    assert title(history.all_known("programme", 7_000), "2021-10-01") == "always"
    assert title(history.all_known("programme", 5_999), "2021-10-01") != "mended"
