"""`phusong demo`, whole: real doors, real clients, and tables that agree with the truth."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from phusong.dashboards.demo.service import MARKER, DemoFailed, renew_folder

PHUSONG = str(Path(sys.executable).with_name("phusong"))


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PHUSONG, "demo", *arguments], capture_output=True, text=True, check=False, timeout=280
    )


@pytest.mark.slow
def test_the_demo_agrees_with_its_truth(tmp_path) -> None:
    done = run_demo("--once", "--sites", "20", "--sims", "300", "--data", str(tmp_path / "demo"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("● khớp · agrees with the truth") == 3
    assert "DISAGREES" not in done.stdout
    assert "/metrics" in done.stderr
    assert "\x1b[" not in done.stdout  # no colour codes in a pipe


@pytest.mark.slow
def test_the_demo_serves_until_ctrl_c_and_ends_well(tmp_path) -> None:
    command = [PHUSONG, "demo", "--sites", "5", "--sims", "20", "--data", str(tmp_path / "demo")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as demo:
        assert demo.stderr is not None
        said = b""
        while line := demo.stderr.readline():
            said += line
            if line.startswith(b"serving until Ctrl-C"):
                demo.send_signal(signal.SIGINT)
        status = demo.wait()

    assert status == 0, said.decode()
    with (tmp_path / "demo" / "journal" / "writer.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds the journal any more


@pytest.mark.slow
def test_the_demo_leaves_a_folder_alone_that_it_did_not_make(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    done = run_demo("--once", "--data", str(tmp_path))

    assert done.returncode == 2
    assert "is not empty and was not made by `phusong demo`" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_a_demo_folder_is_emptied(tmp_path) -> None:
    renew_folder(tmp_path / "demo")
    (tmp_path / "demo" / "old").write_text("x")

    renew_folder(tmp_path / "demo")

    assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARKER]


def test_the_folder_of_a_running_demo_is_left_alone(tmp_path) -> None:
    renew_folder(tmp_path)
    (tmp_path / "journal").mkdir()
    with (tmp_path / "journal" / "writer.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(DemoFailed, match="another demo is running"):
            renew_folder(tmp_path)


def test_a_file_is_no_folder(tmp_path) -> None:
    (tmp_path / "demo").write_text("x")

    with pytest.raises(DemoFailed, match="is not a folder"):
        renew_folder(tmp_path / "demo")
