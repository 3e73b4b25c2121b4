"""Lists as people add and look at them, and a kill in the middle of it."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from credentials import HEADER, hex_of

from running import PHUSONG, phusong, serving

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("PHUSONG_SEED", "42"))


def source_line(name: str, token: str) -> str:
    return f"{name},viettel,{hex_of(token)},\n"


def test_what_a_list_of_sources_revokes_is_said_before_and_shown_after(data: Path) -> None:
    file = data / "sources.csv"
    file.write_text(HEADER + source_line("a", "1") + source_line("b", "1b"))
    first = phusong("registry", "add", "sources", file, "--data", data)
    file.write_text(HEADER + source_line("a", "2") + source_line("c", "3"))

    tried = phusong("registry", "add", "sources", file, "--data", data, "--dry-run")
    before = phusong("registry", "show", "sources", "--data", data)
    added = phusong("registry", "add", "sources", file, "--data", data)
    after = phusong("registry", "show", "sources", "--data", data)
    content = phusong("registry", "show", "sources", "--data", data, "--content")

    assert "sources: adds 2 (viettel/a, viettel/b)" in first.err
    assert tried.out == ""
    assert "version 1" in before.out
    for ran in (tried, added):
        assert "revokes a credential of 1 (viettel/a)" in ran.err
        assert "removes 1 (viettel/b)" in ran.err
    assert "version 2" in after.out
    assert "revokes a credential of 1 (viettel/a)" in after.out
    assert content.out == file.read_text()
    assert (
        "no list of sims was entered"
        in phusong("registry", "show", "sims", "--data", data, status=1).err
    )


def sims(count: int, operator: str) -> bytes:
    rows = (f"{i + 1},{operator},01,2021-10-01,\n" for i in range(count))
    return ("subscriber_key,operator,province_code,handover_date,end\n" + "".join(rows)).encode()


def entered(data: Path) -> list[str]:
    """Return the digests of the versions of the list of SIMs."""
    rows = phusong("registry", "list", "--data", data).out.splitlines()[1:]
    return [row.split("\t")[-1] for row in rows if row.startswith("sims\t")]


def kill_while_adding(data: Path, file: Path, after_s: float) -> None:
    command = [PHUSONG, "registry", "add", "sims", str(file), "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as adding:
        time.sleep(after_s)
        adding.send_signal(signal.SIGKILL)


def assert_whole(data: Path, allowed: set[str], done: list[str]) -> None:
    """Every version entered is one of the files, whole, and what was said to be entered is there."""
    found = entered(data)
    assert set(found) <= allowed
    assert found[: len(done)] == done


def round_of_kills(data: Path, chance: random.Random, rows: int, kills: int) -> None:
    files = {}
    for operator in ("old", "new"):
        file = data / f"{operator}.csv"
        file.write_bytes(sims(rows, operator))
        files[operator] = (file, hashlib.sha256(file.read_bytes()).hexdigest())
    allowed = {digest for _, digest in files.values()}
    start_s = time.monotonic()
    phusong("registry", "add", "sims", files["old"][0], "--data", data)
    took_s = time.monotonic() - start_s
    for _ in range(kills):
        kill_while_adding(data, files["new"][0], chance.uniform(0, 1.3 * took_s))
        assert_whole(data, allowed, [files["old"][1]])
    last = phusong("registry", "add", "sims", files["new"][0], "--data", data)
    assert files["new"][1] in last.out
    assert entered(data)[-1] == files["new"][1]
    assert phusong("journal", "verify", "--data", data).status == 0


def test_after_a_kill_either_version_is_in_force_whole(data: Path) -> None:
    chance = random.Random(SEED)

    round_of_kills(data, chance, rows=100_000, kills=1)


def test_a_service_that_is_killed_while_a_list_comes_has_it_whole_or_not_at_all(data: Path) -> None:
    file = data / "sims.csv"
    file.write_bytes(sims(100_000, "viettel"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    command = [PHUSONG, "registry", "add", "sims", str(file), "--data", str(data)]

    with (
        serving(data) as served,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as adding,
    ):
        time.sleep(random.Random(SEED).uniform(0.5, 3))
        served.process.kill()
        assert adding.stdout is not None
        said = adding.stdout.read().decode()

    assert set(entered(data)) <= {digest}
    assert entered(data) == [digest] or digest not in said


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_kills_among_a_million_rows(data: Path) -> None:
    sys.stderr.write(f"PHUSONG_SEED={SEED}\n")
    round_of_kills(data, random.Random(SEED), rows=1_000_000, kills=40)
