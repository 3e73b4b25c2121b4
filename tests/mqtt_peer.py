"""An MQTT 5 client that does exactly what a test says, over a raw socket."""

import asyncio
from typing import ClassVar

from mqtt5 import ConnectPacket, PublishPacket, QoS, read


class Peer:
    """Sends any bytes, reads packets."""

    open_peers: ClassVar = []

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.received = b""
        self.sizes = []  # of the packets read
        self.open_peers.append(self)

    @classmethod
    async def dial(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def connected(cls, port, client_id="peer", **fields):
        peer = await cls.dial(port)
        peer.send(ConnectPacket(client_id, clean_start=True, **fields))
        peer.connack = await peer.packet()
        return peer

    def send(self, *packets):
        self.writer.write(b"".join(p if isinstance(p, bytes) else p.write() for p in packets))

    async def packet(self):
        """Return the next packet, None at the end of the connection."""
        while True:
            try:
                packet, size = read(memoryview(self.received))
            except IndexError:
                data = await asyncio.wait_for(self.reader.read(65536), 10)
                if not data:
                    return None
                self.received += data
                continue
            self.received = self.received[size:]
            self.sizes.append(size)
            return packet

    async def packets(self, until=()):
        """Return everything up to the end of the connection, or to a packet of a kind."""
        packets = []
        while (packet := await self.packet()) is not None:
            packets.append(packet)
            if isinstance(packet, until):
                break
        return packets

    def close(self):
        self.writer.close()


def publish(topic, payload, packet_id=1, **fields):
    return PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=packet_id, **fields)
