"""A service with TLS on every door, as it is installed: curl, mosquitto_pub, a token of the register, SIGHUP."""

import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from credentials import TOKENS, Authority, sources_file

from running import phusong, serving

pytestmark = pytest.mark.slow

NAME = "viettel/pgw-1"


@pytest.fixture
def authority(data: Path) -> Authority:
    return Authority(data)


def configure(data: Path, authority: Authority, name: str = "server", lines: str = "") -> Path:
    certificate_file, key_file, _ = authority.issue(name)
    file = data / "phusong.toml"
    file.write_text(
        f'[tls]\ncertificate_file = "{certificate_file}"\nkey_file = "{key_file}"\n{lines}'
    )
    return file


def curl(url: str, authority: Authority) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", "--cacert", authority.file, url],
        capture_output=True,
        text=True,
        check=False,
    )


def publish(port: int, authority: Authority, token: str) -> "subprocess.CompletedProcess[str]":
    command = ("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-h", "localhost", "-p", str(port))
    return subprocess.run(
        [
            *(*command, "--cafile", str(authority.file), "-u", NAME, "-P", token),
            *("-t", "phusong/v1/viettel/pgw-1/batch", "-m", "x"),
        ],
        timeout=30,
        check=False,
        capture_output=True,
        text=True,
    )


def test_every_door_speaks_tls_and_a_renewed_certificate_comes_with_sighup(
    data: Path, authority: Authority
) -> None:
    sources = data / "sources.csv"
    sources.write_text(sources_file())
    phusong("registry", "add", "sources", sources, "--data", data)
    config = configure(data, authority)
    with serving(data, "--config", config, "--host", "0.0.0.0", open_loopback=False) as served:
        url = f"https://localhost:{served.http_port}/-/ready"
        ready = curl(url, authority)
        plain = curl(url.replace("https", "http"), authority)
        taken = publish(served.mqtt_port, authority, TOKENS[NAME])
        refused = publish(served.mqtt_port, authority, "guess")
        renewed = Authority(data, "renewed")
        configure(data, renewed)
        served.process.send_signal(signal.SIGHUP)
        deadline_s = time.monotonic() + 60
        while curl(url, renewed).returncode:
            assert time.monotonic() < deadline_s
            time.sleep(0.1)
        assert publish(served.mqtt_port, renewed, TOKENS[NAME]).returncode == 0
        assert served.stop() == 0

    assert ready.stdout == "ready\n", ready
    assert plain.returncode
    assert taken.returncode == 0, taken
    assert refused.returncode
    assert "TLS is read again" in (data.parent / f"{data.name}.stderr").read_text()


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_what_cannot_work_is_said_before_anything_starts(
    data: Path, authority: Authority, command: str
) -> None:
    config = configure(data, authority)
    arguments = (command, config) if command == "check-config" else (command, "-c", config)
    authority.issue("server", last=datetime.now(UTC) - timedelta(hours=1))

    expired = phusong(*arguments, "--data", data, status=2)
    (data / "server.key").unlink()
    missing = phusong(*arguments, "--data", data, status=2)

    assert "server.pem: expired" in expired.err
    assert "server.key: No such file" in missing.err
    assert not (data / "journal").exists()


def test_without_tls_other_machines_are_reached_by_explicit_choice_only(data: Path) -> None:
    ran = phusong("serve", "--data", data, "--host", "0.0.0.0", status=2)

    assert "plaintext = true" in ran.err
    assert not (data / "journal").exists()
