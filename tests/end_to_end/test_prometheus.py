"""Debian's Prometheus on a running service, by TLS, with what `phusong export rules` writes."""

import json
import re
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from credentials import TOKENS, Authority, sources_file
from prometheus import Prometheus, wait_until, watching

from running import Served, phusong, serving

pytestmark = pytest.mark.slow

NAME = "viettel/pgw-1"
# A broker and sites this service does not have, and a snapshot not always yet; test_watch asks everything of the demo.
NOT_HERE = {
    "phusong_broker_lost_sessions_total",
    "phusong_expiring_sites",
    "phusong_sites",
    "phusong_verifier_snapshot_age_seconds",
}


def reading() -> dict[str, Any]:
    return {
        "deviceKey": "77",
        "observedTimeMs": str(time.time_ns() // 1_000_000),
        "latitudeDeg": 22.8,
        "longitudeDeg": 104.98,
        "positionAccuracyM": 8,
        "rat": "RAT_LTE",
        "simPlmn": "45204",
        "servingPlmn": "45204",
        "rsrpDbm": -97,
    }


def publish(served: Served, authority: Authority, token: str, payload: str) -> None:
    subprocess.run(
        [
            *("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-h", "localhost"),
            *(
                "-p",
                str(served.mqtt_port),
                "--cafile",
                str(authority.file),
                "-u",
                NAME,
                "-P",
                token,
            ),
            *("-t", "phusong/v1/viettel/pgw-1/batch/json", "-m", payload),
        ],
        timeout=60,
        check=False,
        capture_output=True,
    )


def configure(folder: Path, authority: Authority, http_port: int) -> None:
    """Export, and put in what every user puts in: the address and the CA; and look every second."""
    phusong("export", "rules", folder)
    (folder / "ca.pem").write_bytes(authority.file.read_bytes())
    file = folder / "prometheus-tls.yml"
    text = file.read_text().replace("phusong.example:9464", f"localhost:{http_port}")
    file.write_text(text.replace(" 15s", " 1s"))


def test_every_rule_finds_what_it_asks_for_and_a_service_that_ends_is_noticed(data: Path) -> None:
    authority = Authority(data)
    certificate_file, key_file, _ = authority.issue("server")
    config = data / "phusong.toml"
    config.write_text(f'[tls]\ncertificate_file = "{certificate_file}"\nkey_file = "{key_file}"\n')
    (data / "sources.csv").write_text(sources_file())
    phusong("registry", "add", "sources", data / "sources.csv", "--data", data)
    with serving(data, "--config", config, open_loopback=False) as served:
        batch = json.dumps({"sequence": "1", "signalReadings": [reading()]})
        for payload in (batch, batch, "garbage"):
            publish(served, authority, TOKENS[NAME], payload)
        publish(served, authority, "guess", "")
        configure(data / "watch", authority, served.http_port)
        with watching(data / "watch") as prometheus:
            wait_until(lambda: prometheus.values("phusong_verifier_lag_frames") == [0])
            wait_until(lambda: prometheus.values("phusong_judged_timestamp_seconds"))
            wait_until(lambda: prometheus.values("instance:phusong_verifier_late:ratio_time3d"))
            wait_until(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"})
            rules = prometheus.rules()
            names = set(prometheus.ask("label/__name__/values"))
            lost = prometheus.values(
                "instance_operator_transport:phusong_verifier_rows:unaccounted"
            )
            with urllib.request.urlopen(
                f"https://localhost:{served.http_port}/metrics",
                context=ssl.create_default_context(cafile=authority.file),
            ) as response:
                exposed = response.read()
            assert served.stop() == 0
            wait_until(lambda: state_of(prometheus, "PhusongDown") == "pending")

    assert not {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert lost
    assert set(lost) == {0}
    asked = set(
        re.findall(r"(?<![\w:])(?:phusong|process)_\w+", " ".join(r["query"] for r in rules))
    )
    assert asked - names <= NOT_HERE
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exposed, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def state_of(prometheus: Prometheus, alert: str) -> str:
    (rule,) = (rule for rule in prometheus.rules() if rule["name"] == alert)
    return str(rule["state"])
