"""Secrets are told to nobody: every error that can be provoked, and then a search through all that was written."""

import subprocess
import urllib.request
from pathlib import Path

import grpc
import pytest
from credentials import HEADER, TOKENS, Authority, hex_of, sources_file

from phusong.v1.ingest_pb2_grpc import IngestStub
from phusong.v1.telemetry_pb2 import Batch
from running import phusong, serving

pytestmark = pytest.mark.slow

NAME = "viettel/pgw-1"
GUESS = "a-guess-that-is-nobodys-token"
BROKER_PASSWORD = "the-password-of-the-broker"
TOPIC = "phusong/v1/viettel/pgw-1/batch"


def mosquitto_pub(port: int, *arguments: str) -> str:
    command = ("mosquitto_pub", "-V", "mqttv5", "-q", "1", "-p", str(port), "-t", TOPIC, "-m", "x")
    done = subprocess.run(
        [*command, *arguments], timeout=30, check=False, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def exports(port: int) -> list[str]:
    said = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for header in (f"Bearer {GUESS}", f"Basic {GUESS}", GUESS, f"Bearer {TOKENS[NAME]}"):
            metadata = (("authorization", header),)
            batch = Batch(source="oss", operator="mobifone")  # another operator's
            try:
                said.append(str(IngestStub(channel).Export(batch, metadata=metadata)))
            except grpc.RpcError as error:
                said.append(str(error))
    return said


def test_no_secret_is_in_anything_that_is_written(data: Path) -> None:
    folder = data.parent / "settings"
    folder.mkdir()
    certificate_file, key_file, _ = Authority(folder).issue("server")
    (folder / "password").write_text(BROKER_PASSWORD)
    config = folder / "phusong.toml"
    config.write_text(
        f'[broker]\nhost = "127.0.0.1"\nport = 1\nclient_id = "c"\nusername = "u"\n'
        f'password_file = "{folder / "password"}"\n'
    )
    sources = folder / "sources.csv"
    sources.write_text(sources_file())
    written = [phusong("registry", "add", "sources", sources, "--data", data)]
    with serving(data, "--config", config, open_loopback=False) as served:
        said = [
            mosquitto_pub(served.mqtt_port, "-u", NAME, "-P", GUESS),
            mosquitto_pub(served.mqtt_port, "-u", GUESS, "-P", TOKENS[NAME]),
            mosquitto_pub(served.mqtt_port, "-u", NAME, "-P", TOKENS[NAME]),
            mosquitto_pub(served.mqtt_port, "-u", TOKENS[NAME]),
            *exports(served.grpc_port),
        ]
        url = f"http://127.0.0.1:{served.http_port}"
        with urllib.request.urlopen(f"{url}/metrics") as page:
            metrics = page.read().decode()
        assert served.stop() == 0
    key = key_file.read_text().splitlines()[1]
    # Somebody puts the secret where its hash or its file belongs, or gives files that do not fit.
    sources.write_text(HEADER + f"pgw-1,viettel,{TOKENS[NAME]},\n")
    written.append(phusong("registry", "add", "sources", sources, "--data", data, status=2))
    for lines in (
        f'[broker]\nhost = "h"\nclient_id = "c"\npassword = "{BROKER_PASSWORD}"\n',
        f'[tls]\ncertificate_file = "{key_file}"\nkey_file = "{certificate_file}"\n',
        f'token = "{TOKENS[NAME]}"\n',
        f'[broker]\nhost = "h"\nclient_id = "c"\nusername = "u"\npassword_file = "{folder / "password"}"\n',
    ):
        config.write_text(lines)
        written.append(phusong("check-config", config, status=None))
    written.append(phusong("doctor", "--data", data, status=None))
    written.append(phusong("journal", "quarantine", "--data", data))

    errors = (data.parent / f"{data.name}.stderr").read_bytes()
    texts = [*said, metrics, *(ran.out + ran.err for ran in written)]
    everything = [text.encode() for text in texts] + [errors]
    everything += [path.read_bytes() for path in data.rglob("*") if path.is_file()]
    secrets = (*TOKENS.values(), GUESS, BROKER_PASSWORD, key)
    found = {secret for secret in secrets for text in everything if secret.encode() in text}
    assert not found
    # The search finds what is there, and the errors were met.
    assert any(hex_of(TOKENS[NAME]).encode() in text for text in everything)
    assert 'phusong_door_refused_total{door="mqtt",reason="wrong_credential"}' in metrics
    assert 'phusong_door_refused_total{door="grpc",reason="wrong_credential"}' in metrics
