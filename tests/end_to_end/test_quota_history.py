"""`phusong quota --sim --from --to` and `phusong quota compliance` on a real journal."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from frames import usage_frame

from phusong.collector.journal.writer import JournalWriter, NewFrame
from phusong.dashboards.commands.quota_history import quota_of
from phusong.verifier.placing import Horizon
from phusong.verifier.quota.ledger_pieces import CLOSE_GRACE_MS
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.replay import build_state
from phusong.verifier.snapshot import write_snapshot
from reference.usage import DAY_MS, HOUR_MS, MIDNIGHT_MS, Usage
from running import phusong

pytestmark = pytest.mark.slow

NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
CLOSE_MS = MIDNIGHT_MS + DAY_MS + CLOSE_GRACE_MS
FRAMES = [
    (NOON_MS, [Usage(NOON_MS, down=3 * 2**30), Usage(NOON_MS, down=99, sim=-8)]),
    (NOON_MS + DAY_MS, [Usage(NOON_MS + DAY_MS, down=4 * 2**30)]),
    (CLOSE_MS + DAY_MS, [Usage(MIDNIGHT_MS + DAY_MS - 1, down=3 * 2**30 + 2**29)]),
    (CLOSE_MS + 2 * DAY_MS, []),
]


def write(data: Path) -> None:
    with JournalWriter(data / "journal") as writer:
        for number, (time_ms, rows) in enumerate(FRAMES, 1):
            writer.append([NewFrame(time_ms, usage_frame(number, time_ms, rows).body)])


def ask(data: Path, *options: str, sim: str = "7") -> dict[str, Any]:
    days = ("--from", "2021-09-30", "--to", "2021-10-03")
    ran = phusong("quota", "--data", data, "--sim", sim, *days, *options, "--format", "json")
    return ran.document


def used(document: dict[str, Any]) -> dict[str, tuple[str, int, list[int]]]:
    return {
        day["day"]: (
            day["state"],
            day["used_bytes"],
            [one["used_bytes"] for one in day["adjustments"]],
        )
        for day in document["days"]
    }


def test_weeks_of_a_sim_are_closings_and_adjustments_as_known_then_and_the_same_when_made_again(
    data: Path,
) -> None:
    write(data)

    document = ask(data)

    half = 2**29
    assert used(document) == {
        "2021-09-30": ("NOT_CLOSED", 0, []),
        "2021-10-01": ("CLOSED", 3 * 2**30 + half + 12, [half, 12]),
        "2021-10-02": ("CLOSED", half - 12, [-12]),
        "2021-10-03": ("NOT_CLOSED", 0, []),
    }
    # What was known in between, from the same files.
    then = used(ask(data, "--known-at", "2021-10-02T12:30+07:00"))
    assert then["2021-10-01"] == ("CLOSED", 3 * 2**30 + half, [half])
    assert then["2021-10-02"] == ("NOT_CLOSED", 0, [])
    other = ask(data, sim="18446744073709551608")
    assert used(other)["2021-10-02"] == ("NO_ENTRY", 0, [])
    # Only a cache.
    before = json.dumps(document)
    shutil.rmtree(data / "derived" / "ledger" / "day=2021-10-01")
    assert json.dumps(ask(data)) == before


@pytest.mark.parametrize(
    "options",
    [("--from", "2021-10-01"), ("--to", "2021-10-01", "--sim", "7")],
)
def test_a_range_without_a_sim_or_a_start_is_explained(
    data: Path, options: tuple[str, ...]
) -> None:
    write(data)

    ran = phusong("quota", "--data", data, *options, status=2)

    assert "--from and --to are about one SIM" in ran.err


def test_the_quota_is_the_one_of_the_snapshot_and_else_the_default(data: Path) -> None:
    write(data)
    other = QuotaSettings(quota_bytes=4 * 10**9)
    assert quota_of(data) == QuotaSettings()

    write_snapshot(data, build_state(data, Horizon(), other))

    assert quota_of(data) == other
    (data / "snapshot" / "state.snapshot").write_bytes(b"no snapshot")
    assert quota_of(data) == QuotaSettings()


def test_a_day_on_which_something_was_not_kept_ends_with_status_3(data: Path) -> None:
    write(data)
    register = data / "sims.csv"
    head = "subscriber_key,operator,province_code,handover_date\n"
    register.write_text(head + "7,viettel,02,2021-10-01\n9,viettel,08,2021-10-01\n")
    asked = ("quota", "compliance", "--data", data, "--day", "2021-10-01")
    assert phusong(*asked, "--format", "json").document["rows"][0]["findings"] == []
    phusong("registry", "add", "sims", register, "--data", data)

    ran = phusong(*asked, "--format", "json", status=3)

    rows = {(row["operator"], row["province_code"]): row for row in ran.document["rows"]}
    assert rows["viettel", "08"]["findings"] == ["NOT_PROVISIONED"]
    assert rows["viettel", "02"]["findings"] == []
    assert ran.document["is_closed"] is True
    assert phusong(*asked, "--format", "csv", status=3).out.startswith("\ufeffday,operator,")
    assert "chưa cấp · not provisioned" in phusong(*asked, status=3).out
