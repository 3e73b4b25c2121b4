"""The endpoint on uvloop, whose transports and chunks are its own."""

import uvloop
from batches import TOPIC, usage_payload
from mqtt5 import DisconnectReasonCode
from mqtt_peer import Peer, publish

from phusong.collector.doors import DoorOptions, Doors


def test_uvloop_serves_as_asyncio_does(tmp_path):
    async def exchange():
        async with Doors(DoorOptions(tmp_path, open_loopback=True)) as doors:
            peer = await Peer.connected(doors.mqtt_port)
            peer.send(*(publish(TOPIC, usage_payload(n), n) for n in range(1, 1000)))
            acknowledged = [(await peer.packet()).packet_id for _ in range(1, 1000)]
        goodbye = await peer.packets()
        peer.close()
        return acknowledged, goodbye

    acknowledged, goodbye = uvloop.run(exchange())

    assert acknowledged == list(range(1, 1000))
    assert [packet.reason_code for packet in goodbye] == [DisconnectReasonCode.SERVER_SHUTTING_DOWN]
