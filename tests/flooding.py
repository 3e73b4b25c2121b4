"""A flood of garbage over real connections: payloads, topics, packets, gRPC messages, all made up from one seed."""

import asyncio
import random

import grpc
from batches import TOPIC
from mqtt5 import ConnectPacket, PubAckPacket, PublishPacket, QoS, read
from mqtt_bytes import packet, publish_bytes, text

RUN_COUNT = 5000  # messages before their acknowledgements are read
# Of every run so many come in another way than by a garbage payload on a topic of ours.
MADE_UP_TOPIC_COUNT = 1500
LONG_TOPIC_COUNT = 10
BROKEN_PACKET_COUNT = 5  # each ends a connection, and the next one begins with garbage too
GRPC_COUNT = 50

BROKEN = (
    b"\x30\xff\xff\xff\xff\x01",
    publish_bytes(0x36),
    publish_bytes(topic=b"\xff\xfe"),
    packet(0x82, b"\0\1\0" + text(b"#") + b"\xff"),
    packet(0x10, text(b"MQTT") + b"\5\2\0\0\0\0\0"),
    b"\x00" * 50,
    b"GET / HTTP/1.1\r\n\r\n",
)


class Flood:
    """Sends garbage; `count` says how much was answered."""

    def __init__(self, mqtt_port, grpc_port, seed):
        self.count = 0
        self._random = random.Random(seed)
        self._mqtt_port = mqtt_port
        self._grpc_port = grpc_port
        self._made_up = 0

    async def pour(self, count):
        """Send so many messages and hear what became of each."""
        target = f"127.0.0.1:{self._grpc_port}"
        async with grpc.aio.insecure_channel(target) as channel:
            export = channel.unary_unary("/phusong.v1.Ingest/Export")
            watch = channel.unary_unary("/phusong.v1.Enforcement/Acknowledge")
            for _ in range(count // RUN_COUNT):
                await self._publish()
                for _ in range(BROKEN_PACKET_COUNT):
                    await self._break_in()
                calls = [export(self._random.randbytes(60)) for _ in range(GRPC_COUNT - 2)]
                self._made_up += 1
                calls += [watch(b"\x0a\x0a" + b"m%09d" % self._made_up), watch(b"\xff")]
                codes = await asyncio.gather(*(call.code() for call in calls))
                assert codes.count(grpc.StatusCode.OK) == GRPC_COUNT - 1
                self.count += RUN_COUNT

    async def _publish(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self._mqtt_port)
        writer.write(ConnectPacket(f"flood-{self.count}", clean_start=True).write())
        sent = RUN_COUNT - GRPC_COUNT - BROKEN_PACKET_COUNT
        packets = [self._message(n) for n in range(1, sent + 1)]
        self._random.shuffle(packets)
        writer.write(b"".join(packets))
        received, answered = b"", 0
        while answered < sent:
            received += await reader.read(1 << 20)
            while received:
                try:
                    answer, size = read(memoryview(received))
                except IndexError:
                    break
                received = received[size:]
                answered += isinstance(answer, PubAckPacket)
        writer.close()

    def _message(self, n):
        payload = self._random.randbytes(self._random.randrange(120))
        topic = TOPIC
        if n <= MADE_UP_TOPIC_COUNT:
            self._made_up += 1
            topic = (
                f"made/up/{self._made_up:x}" if n % 2 else f"phusong/v1/NO-{self._made_up}/x/batch"
            )
        if n <= LONG_TOPIC_COUNT:
            topic = f"{self._made_up}/" + "long" * 5000
        return PublishPacket(topic, payload, qos=QoS.AT_LEAST_ONCE, packet_id=n).write()

    async def _break_in(self):
        """Break a rule, before or after CONNECT, and be thrown out."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._mqtt_port)
        if self._random.random() < 0.7:
            writer.write(ConnectPacket("", clean_start=True).write())
        writer.write(self._random.choice(BROKEN) + self._random.randbytes(20))
        writer.write_eof()  # what is left open waits for a time-out otherwise
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionResetError:
            pass
        writer.close()
