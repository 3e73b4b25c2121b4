"""A service as its administrators meet it: what it says, what its supervisor hears, and a reload."""

import json
import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from credentials import TOKENS, Authority, sources_file

from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch, UsageReading
from running import Served, phusong, serving

pytestmark = pytest.mark.slow

PATIENCE_S = 60
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
SUBSCRIBER_KEY = 7_463_847_412_903_421


def lines(data: Path) -> list[dict[str, Any]]:
    """Return everything a service said off a terminal: every line of it has to be JSON."""
    text = (data.parent / f"{data.name}.stderr").read_text()
    return [json.loads(line) for line in text.splitlines()]


def events(data: Path) -> list[str]:
    return [line["event"] for line in lines(data)]


def wait_for(data: Path, event: str, count: int = 1) -> dict[str, Any]:
    deadline_s = time.monotonic() + PATIENCE_S
    while events(data).count(event) < count:
        assert time.monotonic() < deadline_s, lines(data)
        time.sleep(0.05)
    return [line for line in lines(data) if line["event"] == event][count - 1]


def reload(served: Served, data: Path) -> dict[str, Any]:
    """Send SIGHUP; return what was said of it."""
    ends = {"reloaded", "reload_refused"}
    before = sum(event in ends for event in events(data))
    served.process.send_signal(signal.SIGHUP)
    deadline_s = time.monotonic() + PATIENCE_S
    while sum(event in ends for event in events(data)) == before:
        assert time.monotonic() < deadline_s, lines(data)
        time.sleep(0.05)
    return [line for line in lines(data) if line["event"] in ends][-1]


def publish(port: int, *arguments: str) -> int:
    command = ("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-h", "localhost", "-p", str(port))
    topic = ("-t", "phusong/v1/viettel/pgw-1/batch", "-m", "x")
    done = subprocess.run(
        [*command, *arguments, *topic], check=False, timeout=60, capture_output=True
    )
    return done.returncode


def test_off_a_terminal_every_line_is_json_and_each_event_that_matters_has_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHUSONG_HTPP_PORT", "9")
    authority = Authority(data)
    certificate_file, key_file, _ = authority.issue("server")
    sources, config = data / "sources.csv", data / "phusong.toml"
    sources.write_text(sources_file())
    tls = f'[tls]\ncertificate_file = "{certificate_file}"\nkey_file = "{key_file}"\n'
    config.write_text(tls)
    token = TOKENS["viettel/pgw-1"]
    arguments = ("--cafile", str(authority.file), "-u", "viettel/pgw-1", "-P", token)
    with serving(data, "--config", config, "--host", "0.0.0.0", open_loopback=False) as served:
        phusong("registry", "add", "sources", sources, "--data", data)
        # gRPC's library writes a line of its own past Python for each handshake that fails.
        for _ in range(3):
            with socket.create_connection(("localhost", served.grpc_port)) as stranger:
                stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                stranger.recv(100)
        for _ in range(3):
            assert publish(served.mqtt_port, *arguments[:-1], "a guess") != 0
        publish(served.mqtt_port, *arguments, "-D", "publish", "user-property", "traceparent",
                f"00-{TRACE}-00f067aa0ba902b7-01")  # fmt: skip
        send_usage(served, authority)
        config.write_text(f"{tls}nonsense = 1\n")
        refused = reload(served, data)
        config.write_text(
            f'quota_bytes = 7\n{tls}[log]\nlevel = "warning"\n[limits]\nconnections = 5\n'
        )
        reloaded = reload(served, data)
        assert served.stop() == 0

    said = lines(data)
    found = [line["event"] for line in said]
    for line in said:
        assert list(line)[:4] == ["time", "level", "event", "message"]
        assert line["time"].endswith("Z")
    assert {"door_opened", "started", "nobody_can_send", "registry_entered"} <= set(found)
    assert [line["door"] for line in said if line["event"] == "door_opened"] == [
        "mqtt",
        "grpc",
        "http",
    ]
    assert "did you mean PHUSONG_HTTP_PORT" in said[found.index("variable_unknown")]["message"]
    guesses = [line for line in said if line["event"] == "door_refused"]
    assert [line["reason"] for line in guesses] == ["wrong_credential"]
    refusals = [line for line in said if line["event"] == "batch_refused"]
    assert [(line["trace_id"], line["door"]) for line in refusals] == [
        (TRACE, "mqtt"),
        (TRACE, "grpc"),
    ]
    assert "tls.nonsense" in refused["message"]
    assert reloaded["changed"] == ["limits.connections", "log.level"]
    assert reloaded["needs_restart"] == ["quota_bytes"]
    # The level was raised: the end is not said any more.
    assert found[-1] == "reloaded"
    text = (data.parent / f"{data.name}.stderr").read_text()
    assert str(SUBSCRIBER_KEY) not in text
    assert not [token for token in TOKENS.values() if token in text]


def send_usage(served: Served, authority: Authority) -> None:
    """Send a reading of a subscriber that is refused, so that somebody might want to name it."""
    credentials = grpc.ssl_channel_credentials(Path(authority.file).read_bytes())
    with grpc.secure_channel(f"localhost:{served.grpc_port}", credentials) as channel:
        reading = UsageReading(subscriber_key=SUBSCRIBER_KEY, observed_time_ms=2**50)
        batch = Batch(source="pgw-1", operator="viettel", usage_readings=[reading])
        bearer = ("authorization", f"Bearer {TOKENS['viettel/pgw-1']}")
        metadata = (bearer, ("traceparent", PARENT))
        assert IngestStub(channel).Export(batch, metadata=metadata).refused_count == 1


def ready(served: Served) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}/-/ready") as page:
        return page.status == 200


def test_a_supervisor_hears_ready_signs_of_life_reloads_and_the_end(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(tmp_path / "notify"))
        inbox.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")

        def until(word: str) -> list[str]:
            heard: list[str] = []
            while word not in heard:
                heard += inbox.recv(4096).decode().splitlines()
            return heard

        with serving(data) as served:
            until("READY=1")
            assert ready(served)
            until("WATCHDOG=1")
            served.process.send_signal(signal.SIGHUP)
            until("RELOADING=1")
            until("READY=1")
            served.process.send_signal(signal.SIGSTOP)
            inbox.settimeout(1.5)
            with suppress(TimeoutError):  # after what was on its way
                while True:
                    inbox.recv(4096)
            inbox.settimeout(PATIENCE_S)
            served.process.send_signal(signal.SIGCONT)
            until("WATCHDOG=1")
            assert served.stop() == 0
            until("STOPPING=1")


def test_what_cannot_be_started_is_said_in_the_form_of_the_log(data: Path) -> None:
    with serving(data):
        second = phusong("serve", "--data", data, "--mqtt-port", 0, "--grpc-port", 0, status=1)
        human = phusong("serve", "--data", data, "--log-format", "human", status=1)
    wrong = phusong("serve", "--data", data, "--host", "0.0.0.0", status=2)

    last = json.loads(second.err.splitlines()[-1])
    assert (last["level"], last["event"]) == ("critical", "failed")
    assert "Another phusong writes there" in last["message"]
    assert human.err.splitlines()[-1].startswith("phusong: critical: ")
    assert [json.loads(line)["event"] for line in wrong.err.splitlines()] == [
        "configuration_refused"
    ]
