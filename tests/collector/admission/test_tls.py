"""TLS at the doors, met by clients that people really use."""

import asyncio
import shutil
import socket
import ssl
from datetime import UTC, datetime, timedelta

import aiomqtt
import grpc
import pytest
from batches import TOPIC, usage_batch, usage_payload
from credentials import TOKENS, Authority, register

from phusong.collector.admission.tls import Demand, Tls, TlsOptions, TlsUnusable
from phusong.collector.doors import DoorOptions, Doors
from phusong.v1.ingest_pb2_grpc import IngestStub

MOSQUITTO_PUB = shutil.which("mosquitto_pub")
NAME = "viettel/pgw-1"
TOKEN = TOKENS[NAME]


def now_ms():
    return int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def server(authority):
    return authority.issue("server")


def tls_of(server, authority=None, **demands):
    ca_file = None if authority is None else authority.file
    return Tls(TlsOptions(server[0], server[1], ca_file, **demands), now_ms)


def doors_with(tmp_path, tls):
    return Doors(DoorOptions(tmp_path / "data", tls=tls))


def client(port, context, **fields):
    return aiomqtt.Client(
        "localhost",
        port,
        protocol=aiomqtt.ProtocolVersion.V5,
        tls_context=context,
        timeout=20,
        **fields,
    )


async def denied(doors, *expected):
    """Return when the doorkeeper has counted exactly these reasons."""
    for _ in range(500):
        if sorted(doors.doorkeeper.denied) == sorted(expected):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(doors.doorkeeper.denied)


async def test_aiomqtt_publishes_over_tls_with_a_token(tmp_path, authority, server):
    async with doors_with(tmp_path, tls_of(server)) as doors:
        await register(doors)
        context = authority.client_context()
        async with client(doors.mqtt_port, context, username=NAME, password=TOKEN) as mqtt:
            await mqtt.publish(TOPIC, usage_payload(1, rows=9000), qos=1)  # many records of TLS

        assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 9000


async def test_a_client_certificate_of_the_register_needs_no_token(tmp_path, authority, server):
    certificate_file, key_file, der = authority.issue("pgw-1")
    _, _, unknown = authority.issue("unknown")
    async with doors_with(tmp_path, tls_of(server, authority)) as doors:
        await register(doors, {}, {NAME: der})
        async with client(
            doors.mqtt_port, authority.client_context(certificate_file, key_file)
        ) as mqtt:
            await mqtt.publish(TOPIC, usage_payload(1), qos=1)
        unknown_files = (authority.folder / "unknown.pem", authority.folder / "unknown.key")
        with pytest.raises(aiomqtt.MqttError, match="Bad user name or password"):
            await client(doors.mqtt_port, authority.client_context(*unknown_files)).__aenter__()

        assert [r.principal for r in doors.intake.table.routes if r.source == "pgw-1"] == [NAME]
        assert unknown != der


@pytest.mark.skipif(MOSQUITTO_PUB is None, reason="mosquitto-clients is not installed")
@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
async def test_mosquitto_pub_publishes_over_tls(tmp_path, authority, server, version):
    certificate_file, key_file, der = authority.issue("pgw-1")
    async with doors_with(tmp_path, tls_of(server, authority)) as doors:
        await register(doors, {}, {NAME: der})
        process = await asyncio.create_subprocess_exec(
            *(MOSQUITTO_PUB, "-h", "localhost", "-p", str(doors.mqtt_port), "-V", "mqttv5"),
            *("-q", "1", "-t", TOPIC, "-m", "x", "--tls-version", version),
            *("--cafile", authority.file, "--cert", certificate_file, "--key", key_file),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()

        assert process.returncode == 0, said
        assert doors.sequence == 2  # the register, the payload


async def test_grpc_takes_tokens_over_tls(tmp_path, authority, server):
    async with doors_with(tmp_path, tls_of(server)) as doors:
        await register(doors)
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{doors.grpc_port}", credentials) as channel:
            receipt = await IngestStub(channel).Export(
                usage_batch(1, source="pgw-1", operator="viettel"),
                metadata=(("authorization", f"Bearer {TOKEN}"),),
            )

    assert receipt.accepted_count == 1


async def test_grpc_takes_client_certificates_where_they_are_required(tmp_path, authority, server):
    certificate_file, key_file, der = authority.issue("pgw-1")
    tls = tls_of(server, authority, grpc_client_certificate=Demand.REQUIRED)
    batch = usage_batch(1, source="pgw-1", operator="viettel")
    ca = authority.file.read_bytes()
    with_one = grpc.ssl_channel_credentials(
        ca, key_file.read_bytes(), certificate_file.read_bytes()
    )
    async with doors_with(tmp_path, tls) as doors:
        await register(doors, {}, {NAME: der})
        address = f"localhost:{doors.grpc_port}"
        async with grpc.aio.secure_channel(address, with_one) as channel:
            receipt = await IngestStub(channel).Export(batch)
        async with grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await IngestStub(channel).Export(batch, timeout=20)

    assert receipt.accepted_count == 1
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_who_does_not_trust_the_server_does_not_connect(tmp_path, authority, server):
    stranger = Authority(tmp_path, "stranger")
    async with doors_with(tmp_path, tls_of(server)) as doors:
        outcome = await asyncio.to_thread(_hello, doors.mqtt_port, stranger.client_context())

        assert isinstance(outcome, ssl.SSLCertVerificationError)
        await denied(doors, ("mqtt", "tls_refused_by_client"))


def _hello(port, context):
    """Shake hands and wait for the verdict; return what went wrong."""
    with socket.create_connection(("localhost", port), 10) as opened:
        try:
            with context.wrap_socket(opened, server_hostname="localhost") as wrapped:
                wrapped.sendall(b"\x10")
                return wrapped.recv(1)
        except OSError as error:
            return error


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("none", "tls_no_client_certificate"),
        ("expired", "tls_client_certificate"),
        ("of another CA", "tls_client_certificate"),
        ("old", "tls_version"),
    ],
)
async def test_a_bad_handshake_is_refused_and_counted(tmp_path, authority, server, case, reason):
    context = authority.client_context()
    if case == "expired":
        last = datetime.now(UTC) - timedelta(hours=1)
        context.load_cert_chain(*authority.issue("expired", last=last)[:2])
    elif case == "of another CA":
        context.load_cert_chain(*Authority(tmp_path, "stranger").issue("of-stranger")[:2])
    elif case == "old":
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    tls = tls_of(server, authority, mqtt_client_certificate=Demand.REQUIRED)
    async with doors_with(tmp_path, tls) as doors:
        outcome = await asyncio.to_thread(_hello, doors.mqtt_port, context)

        assert outcome == b"" or isinstance(outcome, OSError)
        await denied(doors, ("mqtt", reason))
        certificate_file, key_file, der = authority.issue("pgw-1")
        await register(doors, {}, {NAME: der})
        async with client(
            doors.mqtt_port, authority.client_context(certificate_file, key_file)
        ) as mqtt:
            await mqtt.publish(TOPIC, usage_payload(1), qos=1)  # the door stands


async def test_plaintext_to_a_door_with_tls_is_refused_and_counted(tmp_path, server):
    async with doors_with(tmp_path, tls_of(server)) as doors:
        with pytest.raises(aiomqtt.MqttError):
            await client(doors.mqtt_port, None).__aenter__()
        async with grpc.aio.insecure_channel(f"localhost:{doors.grpc_port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await IngestStub(channel).Export(usage_batch(1), timeout=3)

        await denied(doors, ("mqtt", "tls_plaintext"))


async def test_who_never_finishes_the_handshake_is_cut_off(tmp_path, server):
    async with doors_with(tmp_path, tls_of(server)) as doors:
        keeper = doors.doorkeeper
        object.__setattr__(keeper.limits, "hello_timeout_s", 0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", doors.mqtt_port)
        writer.write(b"\x16\x03\x01")

        assert await asyncio.wait_for(reader.read(), 20) == b""
        await denied(doors, ("mqtt", "tls_timeout"))
        writer.close()


async def test_a_renewed_certificate_is_shown_after_a_reload(tmp_path, authority, server):
    tls = tls_of(server)
    async with doors_with(tmp_path, tls) as doors:
        renewed = Authority(tmp_path, "renewed")
        for old, new in zip(server[:2], renewed.issue("server-2")[:2], strict=True):
            old.write_bytes(new.read_bytes())
        tls.reload()

        await register(doors)
        async with client(doors.mqtt_port, renewed.client_context(), username=NAME, password=TOKEN):
            pass
        credentials = grpc.ssl_channel_credentials(renewed.file.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{doors.grpc_port}", credentials) as channel:
            await asyncio.wait_for(channel.channel_ready(), 20)


def test_a_bad_reload_changes_nothing(server):
    tls = tls_of(server)
    before = tls.context("mqtt"), tls.pems
    server[1].write_text("no key")

    with pytest.raises(TlsUnusable, match="no private key"):
        tls.reload()

    assert (tls.context("mqtt"), tls.pems) == before
