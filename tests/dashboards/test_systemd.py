"""The unit for systemd: what systemd itself says of it, and what it must agree on with the code."""

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from phusong.collector.admission.limits import CONNECTION_COUNT_MAX
from phusong.dashboards.commands.door_tables import DESCRIPTOR_RESERVE
from phusong.dashboards.verifier_link import STOP_TIMEOUT_S
from running import PHUSONG, phusong

ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture(scope="module")
def unit(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("systemd") / "made"
    ran = phusong("export", "systemd", folder)
    assert ran.out == f"{folder}/phusong.service\n"
    return folder / "phusong.service"


def verify(unit):
    return subprocess.run(
        [ANALYZE, "verify", unit], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed: make debian")
def test_systemd_has_nothing_to_say_against_it(unit, tmp_path):
    sound = verify(unit)
    wrong = tmp_path / "phusong.service"
    wrong.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))

    assert (sound.returncode, sound.stdout + sound.stderr) == (0, "")
    assert "WatchdogSecs" in verify(wrong).stderr


def test_it_runs_the_command_that_wrote_it_and_agrees_with_the_code(unit):
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str
    parsed.read_string(unit.read_text())
    service = parsed["Service"]

    assert service["ExecStart"].startswith(f"{PHUSONG} serve --config ")
    assert (service["Type"], service["KillMode"]) == ("notify", "mixed")
    assert int(service["LimitNOFILE"]) >= CONNECTION_COUNT_MAX + DESCRIPTOR_RESERVE
    assert int(service["TimeoutStopSec"]) > 2 * STOP_TIMEOUT_S
    assert "MemoryDenyWriteExecute" not in service
