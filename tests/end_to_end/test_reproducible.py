"""A report once issued is the same for ever: byte for byte, in another process, whatever came in since."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from surveys import SITES, import_survey
from typer.testing import CliRunner

from phusong.dashboards.commands.registry import app

POLICY = files("phusong.verifier.coverage").joinpath("plan3667-mobile-internet.toml").read_text()
PROGRAMME = """[programme]
id = "p"
effective_from = 2021-10-01
[[obligation]]
id = "o"
kind = "coverage"
list = "283"
target_count = 1
deadline = 2021-11-30
source = "s"
"""
# Every command that reports; what each is asked stands behind it.
REPORTS = (
    "coverage --as-of 2021-12-20 --format json",
    "coverage --as-of 2021-12-20 --site HG-1",
    "programme status --as-of 2021-12-20 --provinces 2025 --format json",
    "quota --as-of 2021-12-20 --day 2021-12-01 --format json",
    "registry list",
    "journal quarantine --format json",
)
# Of these at least every answer is another one in the end.
CHANGED = ("coverage", "programme", "registry")
# One process runs them all: most of what a command takes is the start of Python.
RUN_ALL = """
import sys
from phusong.dashboards.commands import main
data, known_at, *reports = sys.argv[1:]
for report in reports:
    sys.argv = ["phusong", *report.split(), "--data", data, "--known-at", known_at]
    print("$", report, flush=True)
    try:
        main()
    except SystemExit as end:
        assert end.code in (None, 0, 3), (report, end.code)
    sys.stdout.flush()
"""


def reports(
    data: Path, known_at: str, seed: int, wanted: tuple[str, ...] = REPORTS
) -> dict[str, bytes]:
    """Return what each report says of what was known at a time, in a process with its own hash seed."""
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, data, known_at, *wanted],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = {}
    for part in done.stdout.split(b"$ ")[1:]:
        name, _, text = part.partition(b"\n")
        found[name.decode()] = text
    assert tuple(found) == wanted
    return found


def now_text() -> str:
    """Return the time, and let it pass: what comes next arrives later."""
    text = datetime.now(UTC).isoformat(timespec="milliseconds")
    time.sleep(0.002)  # to the next millisecond; nothing is waited for
    return text


def add(data: Path, kind: str, text: str) -> None:
    file = data.parent / f"new-{kind}"
    file.write_text(text, "utf-8")
    ran = CliRunner().invoke(app, ["add", kind, str(file), "--data", str(data)])
    assert ran.exit_code == 0, ran.stderr


def test_a_report_is_the_same_for_ever_and_what_comes_late_changes_later_ones_only(
    data: Path,
) -> None:
    add(data, "sites", SITES)
    import_survey(data, "first", -90.0, 22.8, 104.98)
    known_at = now_text()
    issued = reports(data, known_at, seed=1)

    # As much as can change: another list of sites, another policy, another programme, handovers, late readings.
    import_survey(data, "late", -130.0, 22.8, 104.98)
    add(data, "policy", POLICY.replace("floor_dbm = -121", "floor_dbm = -80", 1))
    add(data, "programme", PROGRAMME)
    add(data, "handovers", "subscriber_key,handover_date,province_code\n7,2021-10-01,02\n")
    add(data, "sites", SITES.replace("Bản Máy", "Bản Mây"))

    assert reports(data, known_at, seed=2) == issued
    wanted = tuple(name for name in REPORTS if name.split()[0] in CHANGED)
    later = reports(data, now_text(), 3, wanted)
    assert all(later[name] != issued[name] for name in wanted)
    assert b'"verdict": "COVERED"' in issued[REPORTS[0]]
    assert b'"verdict": "COVERED"' not in later[REPORTS[0]]
