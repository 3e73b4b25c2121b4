"""What is looked at on a machine, and that each fault is found with a way to mend it."""

import os
import resource
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from brokers import Mosquitto, free_port
from credentials import Authority
from typer.testing import CliRunner

import phusong.dashboards.commands.host_findings as host_module
from phusong.dashboards.commands.configuration import Configuration
from phusong.dashboards.commands.doctor import doctor
from phusong.dashboards.commands.door_findings import door_findings
from phusong.dashboards.commands.host_findings import Grade, host_findings


def configured(folder, **fields):
    ports = {f"{door}_port": 0 for door in ("mqtt", "grpc", "http")}
    return Configuration(data=folder, **(ports | fields))


def found(findings, subject):
    """Return the findings on a subject that are not fine."""
    return [f for f in findings if f.subject == subject and f.grade is not Grade.FINE]


def of_host(folder, subject, **fields):
    return found(host_findings(configured(folder, **fields)), subject)


def of_doors(folder, subject, **fields):
    return found(door_findings(configured(folder, **fields)), subject)


def test_everything_that_is_not_fine_says_how_to_mend_it(tmp_path):
    configuration = configured(tmp_path, open_loopback=True)

    findings = [*host_findings(configuration), *door_findings(configuration)]

    assert len(findings) > 10
    assert all(bool(f.remedy) or f.grade is Grade.FINE for f in findings)


def test_a_journal_in_memory_is_wrong():
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        (finding,) = of_host(Path(folder), "file system")

    assert finding.grade is Grade.BAD
    assert "memory" in finding.found


def test_a_disk_that_has_no_room_above_the_reserve_is_wrong(tmp_path):
    free = os.statvfs(tmp_path)
    (finding,) = of_host(tmp_path, "disk", disk_reserve_bytes=free.f_bavail * free.f_frsize)

    assert "prune" in finding.remedy


@pytest.mark.parametrize(
    ("limit", "value", "grade"),
    [("FSYNC_MAX_MS", 0.0, Grade.BAD), ("FSYNC_BELIEVABLE_MS", 1e9, Grade.CAUTION)],
)
def test_a_disk_that_syncs_too_slowly_or_too_quickly_is_said(
    limit, value, grade, tmp_path, monkeypatch
):
    monkeypatch.setattr(host_module, limit, value)

    (finding,) = of_host(tmp_path, "fsync")

    assert finding.grade is grade
    assert " ms, at most " in finding.found


def test_a_folder_that_others_may_read_is_said(tmp_path):
    tmp_path.chmod(0o755)
    open_to_all = of_host(tmp_path, "privacy")
    tmp_path.chmod(0o750)

    assert [f.grade for f in open_to_all] == [Grade.CAUTION]
    assert "chmod 0750" in open_to_all[0].remedy
    assert of_host(tmp_path, "privacy") == []


def test_a_clock_that_was_never_set_and_one_that_nothing_keeps_right(tmp_path, monkeypatch):
    monkeypatch.setattr(host_module.time, "time", lambda: 1e9)
    monkeypatch.setattr(host_module, "_clock_status", lambda: host_module.STA_UNSYNC)

    assert [f.grade for f in of_host(tmp_path, "clock")] == [Grade.BAD]
    assert [f.grade for f in of_host(tmp_path, "clock's keeper")] == [Grade.CAUTION]


def test_the_kernel_is_asked_whether_its_clock_is_kept():
    assert isinstance(host_module._clock_status(), int)


def test_open_files_are_held_against_the_connections_that_are_configured(tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))

    (finding,) = of_host(tmp_path, "open files")
    few = of_host(tmp_path, "open files", limits={"connections": 3072})

    assert "3072 MQTT clients fit" in finding.remedy
    assert few == []


def test_a_port_that_is_taken_is_wrong(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (finding,) = of_doors(tmp_path, f"port {port} (grpc)", grpc_port=port)

    assert finding.grade is Grade.BAD
    assert "--grpc-port" in finding.remedy


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(-1, Grade.BAD), (100, Grade.CAUTION), (10_000, None)],
)
def test_a_certificate_is_wrong_when_it_has_ended_and_said_when_it_ends_soon(
    hours, expected, tmp_path
):
    authority = Authority(tmp_path)
    last = datetime.now(UTC) + timedelta(hours=hours)
    certificate_file, key_file, _ = authority.issue("server", last=last)
    tls = {"certificate_file": certificate_file, "key_file": key_file}

    grades = [f.grade for f in of_doors(tmp_path, "tls", tls=tls)]

    assert grades == ([] if expected is None else [expected])


@pytest.mark.slow
def test_a_broker_that_answers_is_fine_and_one_that_does_not_is_wrong(tmp_path):
    with Mosquitto(tmp_path) as broker:
        table = {"host": "127.0.0.1", "port": broker.port, "client_id": "c"}
        there = of_doors(tmp_path, "broker", broker=table)
        no_tls = of_doors(
            tmp_path, "broker", broker=table | {"tls_ca_file": Authority(tmp_path).file}
        )
    away = of_doors(
        tmp_path, "broker", broker={"host": "127.0.0.1", "port": free_port(), "client_id": "c"}
    )

    assert there == []
    assert [f.grade for f in (*no_tls, *away)] == [Grade.BAD] * len((*no_tls, *away))
    assert "Connection refused" in away[0].found
    assert no_tls


def test_a_password_in_clear_and_files_that_are_not_there(tmp_path):
    (tmp_path / "password").write_text("secret")
    table = {"host": "127.0.0.1", "port": free_port(), "client_id": "c", "username": "u"}

    clear = of_doors(tmp_path, "broker", broker=table | {"password_file": tmp_path / "password"})
    missing = of_doors(tmp_path, "broker", broker=table | {"password_file": tmp_path / "none"})

    assert clear[0].grade is Grade.CAUTION
    assert "in clear" in clear[0].found
    assert missing[0].grade is Grade.BAD
    assert "No such file" in missing[0].found


def test_the_command_ends_with_1_only_where_something_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(host_module, "DISK_FREE_MIN_BYTES", 0)
    monkeypatch.setenv("PHUSONG_DISK_RESERVE_BYTES", "0")
    for door in ("MQTT", "GRPC", "HTTP"):
        monkeypatch.setenv(f"PHUSONG_{door}_PORT", "0")
    monkeypatch.setenv("PHUSONG_HTPP_PORT", "0")
    command = typer.Typer()
    command.command()(doctor)

    sound = CliRunner().invoke(command, ["--data", str(tmp_path / "new")])
    monkeypatch.setenv("PHUSONG_OPEN_LOOPBACK", "true")
    wrong = CliRunner().invoke(command, ["--data", str(tmp_path / "new")])

    assert sound.exit_code == 0, sound.output
    assert "did you mean PHUSONG_HTTP_PORT?" in sound.output
    assert wrong.exit_code == 1
    assert "▲ bad  who may send" in wrong.output
