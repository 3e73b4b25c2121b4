"""A broker that wants to know who comes, and is looked at itself."""

import asyncio
import subprocess

import pytest
from brokers import Mosquitto, until

import phusong.collector.broker.client as client_module
from phusong.collector.broker.client import BrokerClient, BrokerLost
from phusong.collector.broker.options import BrokerOptions
from phusong.collector.broker.road import BrokerRoad
from phusong.collector.doors import open_intake

pytestmark = pytest.mark.slow


def run(*command):
    subprocess.run([*map(str, command)], check=True, capture_output=True)


def certificate(folder, name, host):
    """Make a self-signed certificate and its key; return both files."""
    files = folder / f"{name}.pem", folder / f"{name}.key"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "1", "-subj", f"/CN={name}", "-addext", f"subjectAltName={host}"),
        *("-out", files[0], "-keyout", files[1]),
    )
    return files


async def why_not(broker, **fields):
    """Return why there is no connection, None when there is."""
    options = BrokerOptions("127.0.0.1", "reader", broker.port, **fields)
    try:
        async with BrokerClient(options, options.tls_context(), lambda *_: None):
            return None
    except BrokerLost as lost:
        return str(lost)


async def test_a_password_is_asked_for_and_never_repeated(version, tmp_path):
    file = tmp_path / "passwords"
    run("mosquitto_passwd", "-b", "-c", file, "phusong", "hunter2")
    file.chmod(0o644)
    with Mosquitto(tmp_path, f"password_file {file}", "allow_anonymous false") as broker:
        right = await why_not(broker, version=version, username="phusong", password="hunter2")
        wrong = await why_not(broker, version=version, username="phusong", password="hunter3")
        anonymous = await why_not(broker, version=version)

    assert right is None
    assert "authori" in wrong.lower()
    assert "hunter" not in wrong
    assert "authori" in anonymous.lower()


# paho leaves a socket to the garbage collector when the handshake fails.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_only_a_broker_whose_certificate_is_known_is_believed(version, tmp_path):
    pem, key = certificate(tmp_path, "broker", "IP:127.0.0.1")
    other, _ = certificate(tmp_path, "other", "IP:127.0.0.1")
    elsewhere, elsewhere_key = certificate(tmp_path, "elsewhere", "DNS:mqtt.example")
    with (
        Mosquitto(tmp_path, f"certfile {pem}", f"keyfile {key}") as broker,
        Mosquitto(tmp_path, f"certfile {elsewhere}", f"keyfile {elsewhere_key}") as misnamed,
    ):
        assert await why_not(broker, version=version, tls_ca_file=pem) is None
        assert "CERTIFICATE_VERIFY" in await why_not(broker, version=version, tls_ca_file=other)
        assert "mismatch" in await why_not(misnamed, version=version, tls_ca_file=elsewhere)


async def test_our_own_certificate_is_shown_when_asked_for(version, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "ANSWER_TIMEOUT_S", 1.0)  # TLS 1.3 is refused in silence
    pem, key = certificate(tmp_path, "broker", "IP:127.0.0.1")
    ours, our_key = certificate(tmp_path, "collector", "DNS:collector")
    asks = (f"cafile {ours}", "require_certificate true")
    with Mosquitto(tmp_path, f"certfile {pem}", f"keyfile {key}", *asks) as broker:
        known = {
            "tls_ca_file": pem,
            "tls_certificate_file": ours,
            "tls_key_file": our_key,
        }
        assert await why_not(broker, version=version, **known) is None
        assert await why_not(broker, version=version, tls_ca_file=pem) is not None


async def test_messages_come_through_tls_and_after_a_pause(version, tmp_path):
    pem, key = certificate(tmp_path, "broker", "IP:127.0.0.1")
    taken = []
    with Mosquitto(tmp_path, f"certfile {pem}", f"keyfile {key}") as broker:
        options = BrokerOptions("127.0.0.1", "reader", broker.port, version, tls_ca_file=pem)
        tls = options.tls_context()
        async with BrokerClient(options, tls, lambda _, d: taken.append(d.payload)) as reader:
            await reader.subscribe("t")
            reader.pause()
            for number in range(20):
                await asyncio.to_thread(
                    run,
                    *("mosquitto_pub", "-p", broker.port, "--cafile", pem, "-h", "127.0.0.1"),
                    *("-q", 1, "-t", "t", "-m", number),
                )
            reader.resume()
            await until(lambda: len(taken) == 20)

    assert taken == [b"%d" % number for number in range(20)]


async def test_a_file_of_tls_that_is_none_stops_the_start(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    options = BrokerOptions("127.0.0.1", "reader", tls_ca_file=file)
    async with open_intake(tmp_path / "data") as opened:
        with pytest.raises(OSError):
            async with BrokerRoad(opened.intake, options):
                pass
