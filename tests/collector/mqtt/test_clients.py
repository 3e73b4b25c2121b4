"""Clients that people really use."""

import asyncio
import shutil
import threading

import aiomqtt
import gmqtt
import paho.mqtt.client as paho
import pytest
from batches import TOPIC, decision, usage_payload
from paho.mqtt.enums import CallbackAPIVersion

from phusong.v1.enforcement_pb2 import Decision

MOSQUITTO_PUB = shutil.which("mosquitto_pub")


async def test_aiomqtt_publishes_and_hears_decisions(doors):
    async with aiomqtt.Client(
        "127.0.0.1", doors.mqtt_port, protocol=aiomqtt.ProtocolVersion.V5, username="viettel"
    ) as client:
        await client.publish(TOPIC, usage_payload(1), qos=1)
        await client.subscribe("phusong/v1/viettel/decisions", qos=1)
        await doors.board.publish(
            [decision("a"), decision("of another", "mobifone"), decision("b")]
        )
        heard = [Decision.FromString((await anext(client.messages)).payload) for _ in range(2)]

    assert [(d.decision_key, d.position) for d in heard] == [("a", 1), ("b", 2)]


async def test_gmqtt_publishes_and_hears_decisions(doors):
    client = gmqtt.Client("gmqtt", receive_maximum=10)
    client.set_auth_credentials("viettel", None)
    heard = asyncio.Queue()
    subscribed = asyncio.Event()
    client.on_message = lambda client, topic, payload, qos, properties: heard.put_nowait(payload)
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", doors.mqtt_port, keepalive=60)
    for n in range(1, 51):
        client.publish(TOPIC, usage_payload(n), qos=1)
    client.subscribe("phusong/v1/viettel/decisions", qos=1)
    await asyncio.wait_for(subscribed.wait(), 20)
    await doors.board.publish([decision("a")])
    said = Decision.FromString(await asyncio.wait_for(heard.get(), 20))
    await client.disconnect()

    assert (said.decision_key, said.position) == ("a", 1)
    assert sum(c.accepted_row_count for c in doors.counts.origins.values()) == 50


def _publish_with_paho(port, protocol, outcome):
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="paho", protocol=protocol)
    done = threading.Event()

    def on_connect(client, userdata, flags, reason_code, properties):
        outcome.append(("connected", str(reason_code)))
        if reason_code.is_failure:
            done.set()
        else:
            client.publish(TOPIC, usage_payload(1), qos=1)

    def on_publish(client, userdata, mid, reason_code, properties):
        outcome.append(("published", str(reason_code)))
        done.set()

    client.on_connect = on_connect
    client.on_publish = on_publish
    client.connect("127.0.0.1", port)
    client.loop_start()
    done.wait(10)
    client.disconnect()
    client.loop_stop()


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (paho.MQTTv5, [("connected", "Success"), ("published", "Success")]),
        (paho.MQTTv311, [("connected", "Unsupported protocol version")]),
    ],
)
@pytest.mark.slow
async def test_paho_publishes_with_mqtt_5_and_is_refused_with_3_1_1(doors, protocol, expected):
    outcome = []

    await asyncio.to_thread(_publish_with_paho, doors.mqtt_port, protocol, outcome)

    assert outcome[: len(expected)] == expected


@pytest.mark.skipif(MOSQUITTO_PUB is None, reason="mosquitto-clients is not installed")
@pytest.mark.parametrize(("version", "status"), [("mqttv5", 0), ("mqttv311", 1)])
async def test_mosquitto_pub_publishes_with_mqtt_5_only(doors, tmp_path, version, status):
    file = tmp_path / "payload"
    file.write_bytes(usage_payload(1))
    process = await asyncio.create_subprocess_exec(
        *(MOSQUITTO_PUB, "-p", str(doors.mqtt_port), "-V", version, "-q", "1"),
        *("-t", TOPIC, "-f", str(file)),
        stderr=asyncio.subprocess.PIPE,
    )

    _, said = await process.communicate()

    assert (process.returncode == 0) == (status == 0), said
    accepted = sum(c.accepted_row_count for c in doors.counts.origins.values())
    assert accepted == (1 if status == 0 else 0)
