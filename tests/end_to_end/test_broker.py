"""A service that reads a broker, as its users see it."""

import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from batches import TOPIC, usage_payload
from brokers import CAREFUL, Mosquitto

from running import Served, phusong, serving

pytestmark = pytest.mark.slow


def page(served: Served, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{served.http_port}{path}") as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until_shown(served: Served, path: str, text: str) -> None:
    for _ in range(600):
        if text in page(served, path)[1]:
            return
        time.sleep(0.05)
    raise AssertionError(page(served, path))


def test_a_device_that_speaks_3_1_1_is_counted_by_way_of_a_broker(data: Path) -> None:
    data.mkdir(exist_ok=True)
    config = data / "phusong.toml"
    with Mosquitto(data, *CAREFUL) as broker:
        table = f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nclient_id = "phusong"\n'
        config.write_text(table)
        with serving(data, "--config", config) as served:
            wait_until_shown(served, "/-/ready", "ready")
            subprocess.run(
                [
                    *("mosquitto_pub", "-V", "mqttv311", "-q", "1", "-p", str(broker.port)),
                    *("-t", TOPIC, "-s"),
                ],
                input=usage_payload(1),
                check=True,
                timeout=30,
            )
            wait_until_shown(served, "/metrics", "phusong_broker_acknowledged_messages_total 1.0")
            broker.stop()
            wait_until_shown(served, "/-/ready", "no connection to the broker")
            assert page(served, "/-/ready")[0] == 503
            assert served.stop() == 0

    stat = phusong("journal", "stat", "--data", data, "--format", "json").document
    assert stat["taken"] == 1
