"""A real mosquitto on a free port, with its database in a folder of the test."""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
DYNAMIC_SECURITY = "mosquitto_dynamic_security.so"
START_TIMEOUT_S = 20

# As the README advises an operator who wants to lose little.
CAREFUL = (
    "persistence true",
    "autosave_interval 1",
    "max_queued_messages 0",
    "max_inflight_messages 1000",
)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Mosquitto:
    """Use it with `with`; `stop` and `start` keep its database."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self.folder = folder / f"mosquitto-{self.port}"
        self.folder.mkdir()
        self.config = self.folder / "mosquitto.conf"
        settings = (f"listener {self.port} 127.0.0.1", "allow_anonymous true", *lines)
        own = (f"persistence_location {self.folder}/", f"user {Path.home().owner()}")
        self.config.write_text("\n".join((*settings, *own)) + "\n")
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", self.config], stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self.process.poll() is None, self.log
                time.sleep(0.01)
            else:
                return
        raise AssertionError(self.log)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    @property
    def log(self):
        return (self.folder / "log").read_text()


def refusing(folder, *allowed):
    """Return the settings of a broker where only these patterns may be subscribed to."""
    places = sorted(Path("/usr/lib").glob(f"*/{DYNAMIC_SECURITY}"))
    acls = [{"acltype": "subscribePattern", "topic": topic, "allow": True} for topic in allowed]
    access = ("publishClientSend", "publishClientReceive", "unsubscribe")
    rules = {
        "defaultACLAccess": dict.fromkeys(access, True) | {"subscribe": False},
        "roles": [{"rolename": "reader", "acls": acls}],
        "groups": [{"groupname": "all", "roles": [{"rolename": "reader", "priority": 0}]}],
        "anonymousGroup": "all",
        "clients": [],
    }
    file = folder / "access.json"
    file.write_text(json.dumps(rules))
    return (f"plugin {places[0]}", f"plugin_opt_config_file {file}")


class Publisher:
    """A paho client that remembers what the broker acknowledged. Use it with `with`."""

    def __init__(self, port, client_id="publisher", in_flight_max=100):
        # By packet id, which is used again: what was published under it and how often it was acknowledged. A PUBACK
        # may come before `publish` has returned, so the two are brought together only when asked.
        self._names_of = defaultdict(list)
        self._ack_count_of = Counter()
        self._room = threading.Semaphore(in_flight_max)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
        self._client.max_inflight_messages_set(in_flight_max)
        self._client.on_publish = self._on_publish
        self._client.connect("127.0.0.1", port)

    def __enter__(self):
        self._client.loop_start()
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic, payload, name=None, qos=1):
        """Publish; wait first while as many as may be are in flight."""
        self._room.acquire()
        info = self._client.publish(topic, payload, qos)
        self._names_of[info.mid].append(name)
        return info

    def _on_publish(self, client, userdata, mid, reason, properties):
        self._ack_count_of[mid] += 1
        self._room.release()

    @property
    def acknowledged(self):
        """The names of what the broker acknowledged."""
        pairs = self._ack_count_of.copy().items()
        return {name for mid, count in pairs for name in self._names_of[mid][:count]}

    @property
    def acknowledged_count(self):
        return self._ack_count_of.total()


async def until(fact, timeout_s=20):
    """Return when a fact holds."""
    deadline_s = time.monotonic() + timeout_s
    while not fact():
        assert time.monotonic() < deadline_s, "it never became true"
        await asyncio.sleep(0.01)
