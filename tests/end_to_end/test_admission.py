"""Who may send to a running service, and what it says of that itself."""

import subprocess
from pathlib import Path

import pytest

from running import serving

pytestmark = pytest.mark.slow


def publish(host: str, port: int) -> "subprocess.CompletedProcess[bytes]":
    topic = "phusong/v1/viettel/probe-7/batch"
    command = ("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-h", host, "-p", str(port))
    return subprocess.run(
        [*command, "-t", topic, "-m", "x"], timeout=30, check=False, capture_output=True
    )


def said(data: Path) -> str:
    return (data.parent / f"{data.name}.stderr").read_text()


def test_without_a_choice_nobody_sends_and_the_service_says_what_to_do(data: Path) -> None:
    with serving(data, open_loopback=False) as served:
        refused = publish("127.0.0.1", served.mqtt_port)
        assert served.stop() == 0

    assert refused.returncode != 0
    assert "nobody can send" in said(data)
    assert "--open-loopback" in said(data)


def test_open_loopback_is_for_this_machine_only_and_the_service_says_so(data: Path) -> None:
    hosts = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True)
    others = [host for host in hosts.stdout.split() if "." in host]
    with serving(data, "--host", "0.0.0.0", "--plaintext") as served:
        taken = publish("127.0.0.1", served.mqtt_port)
        refused = [publish(host, served.mqtt_port) for host in others]
        assert served.stop() == 0

    assert taken.returncode == 0
    assert all(done.returncode != 0 for done in refused)
    assert "open_loopback" in said(data)
    assert "nobody can send" not in said(data)
