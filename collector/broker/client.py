"""One connection to a broker. The only file that knows which MQTT client makes it.

aiomqtt 2.5 acknowledges a message as soon as it has come and has no call to do otherwise; paho underneath has. So paho is
reached through aiomqtt's private `_client` here and nowhere else: to acknowledge when the journal says so, to take
messages in the turn of the loop they come in, to stop reading, and to learn whether the broker kept our session.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from phusong.collector.broker.options import V5, BrokerOptions
from phusong.collector.traces import TRACEPARENT

AT_LEAST_ONCE = 1
# The broker keeps our session as long as it is willing to.
SESSION_EXPIRY_NEVER = 0xFFFF_FFFF
# Retained messages come once, with the first subscription of a session, not at every reconnect.
RETAINED_IF_NEW = 1
ANSWER_TIMEOUT_S = 10.0
# What a topic becomes that is not UTF-8: none of ours, so its message is kept as poison.
TOPIC_UNREADABLE = "\ufffd"

LOGGER = logging.getLogger("phusong.broker.client")
# paho has a line for every packet, and what it calls an error ends the connection, which is said where it is noticed.
LOGGER.setLevel(logging.CRITICAL)


class BrokerLost(Exception):
    """There is no connection, or no more; the message says why."""


class Delivery(NamedTuple):
    """A message as the broker delivered it."""

    topic: str
    payload: bytes
    packet_id: int  # 0 for QoS 0, which is not acknowledged
    traceparents: tuple[str, ...] = ()


class BrokerClient:
    """A connection with its unacknowledged messages. Use it once, with `async with`.

    A packet id means something on its own connection only: what is committed after the connection ended is not
    acknowledged, the broker delivers it again, and it is recognised then.
    """

    lost: asyncio.Task[str]  # done, with why, when the connection has ended; there from entering on

    def __init__(
        self,
        options: BrokerOptions,
        tls: ssl.SSLContext | None,
        take: Callable[["BrokerClient", Delivery], None],
    ) -> None:
        """`take` is called for every message, on the loop; it must not raise."""
        self.unacknowledged_count = 0
        self.has_session = False  # the broker knew us
        self.is_paused = False
        self._take = take
        self._end_reason = ""
        self._loop = asyncio.get_running_loop()
        self._client = aiomqtt.Client(
            options.host,
            options.port,
            identifier=options.client_id,
            username=options.username or None,
            password=options.password or None,
            keepalive=options.keep_alive_s,
            timeout=ANSWER_TIMEOUT_S,
            tls_context=tls,
            logger=LOGGER,
            **_session(options),
        )
        self._paho = self._client._client  # noqa: SLF001 - see the top of this file
        self._paho.manual_ack_set(True)
        self._paho.on_message = self._on_message
        self._after_connect = self._paho.on_connect
        self._paho.on_connect = self._on_connect
        self._options = options

    async def __aenter__(self) -> Self:
        """Connect. Raises BrokerLost."""
        try:
            await self._client.__aenter__()
        except (aiomqtt.MqttError, ValueError) as error:  # ValueError: a host that can be none
            self.cut()
            raise BrokerLost(str(error)) from error
        self.lost = asyncio.create_task(self._lost(), name="broker-lost")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what waits to be sent, and say goodbye; the session stays at the broker."""
        try:
            await self._client.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            pass  # the broker does not answer; nothing is owed to it
        finally:
            self.lost.cancel()
            self.cut()

    async def subscribe(self, pattern: str) -> str | None:
        """Subscribe with QoS 1; return why the broker refused, None when it did not. Raises BrokerLost."""
        asked: dict[str, Any] = {"qos": AT_LEAST_ONCE}
        if self._options.version == V5:
            options = SubscribeOptions(qos=AT_LEAST_ONCE, retainHandling=RETAINED_IF_NEW)
            asked = {"options": options}
        answer = asyncio.create_task(self._client.subscribe(pattern, **asked))
        await asyncio.wait((answer, self.lost), return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise BrokerLost(self.lost.result())
        try:
            (code,) = answer.result()
        except aiomqtt.MqttError as error:
            raise BrokerLost(self._end_reason or f"SUBSCRIBE {pattern}: {error}") from error
        if getattr(code, "value", code) == AT_LEAST_ONCE:
            return None
        return f"{code}, where QoS 1 was asked for"

    def acknowledge(self, packet_id: int) -> bool:
        """Acknowledge a message; tell whether the connection was still there to do it."""
        self.unacknowledged_count -= 1
        if self._paho.socket() is None:
            return False
        self._paho.ack(packet_id, AT_LEAST_ONCE)
        return True

    def pause(self) -> None:
        """Read nothing more, so that the broker feels it."""
        sock = self._paho.socket()
        if not self.is_paused and sock is not None:
            self.is_paused = True
            self._loop.remove_reader(sock.fileno())

    def resume(self) -> None:
        """Read again."""
        if not self.is_paused:
            return
        self.is_paused = False
        sock = self._paho.socket()
        if sock is not None:
            self._loop.add_reader(sock.fileno(), self._read)
            self._loop.call_soon(self._read)  # TLS may hold bytes that the socket does not tell of

    def end(self, reason: str) -> None:
        """End the connection because of something here; `lost` has the reason."""
        self._end_reason = reason
        self._loop.call_soon(self.cut)  # paho must not be called from its own callback

    def cut(self) -> None:
        """Let go of what is still open; paho closes it when the goodbye is written."""
        if self._paho.socket() is not None:
            self._paho.disconnect()

    async def _lost(self) -> str:
        try:
            # No message comes this way: `_on_message` has taken it.
            await anext(self._client.messages)
        except aiomqtt.MqttError as error:
            return self._end_reason or f"the connection ended: {error.__cause__ or error}"
        raise AssertionError("paho calls one callback for a message, and it is ours")

    def _read(self) -> None:
        """Do what aiomqtt's own reader does: it cannot be put back once it was taken away."""
        is_sound = False
        try:
            while not self.is_paused and (sock := self._paho.socket()) is not None:
                self._paho.loop_read()
                if not (isinstance(sock, ssl.SSLSocket) and sock.fileno() >= 0 and sock.pending()):
                    break
            is_sound = True
        finally:
            if not is_sound:  # packets that make no sense: the loop logs the exception
                self.end("the broker sent what cannot be read")

    def _on_connect(self, client: Any, userdata: Any, flags: Any, *more: Any) -> None:
        self.has_session = bool(flags.session_present)
        assert self._after_connect is not None
        self._after_connect(client, userdata, flags, *more)

    def _on_message(self, _client: Any, _userdata: Any, message: Any) -> None:
        packet_id = message.mid if message.qos else 0
        self.unacknowledged_count += packet_id != 0
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = TOPIC_UNREADABLE
        properties = getattr(message.properties, "UserProperty", ())  # only MQTT 5 has them
        traceparents = tuple(value for key, value in properties if key == TRACEPARENT)
        self._take(self, Delivery(topic, bytes(message.payload), packet_id, traceparents))


def _session(options: BrokerOptions) -> dict[str, Any]:
    """Return the arguments that ask for a session which outlives the connection."""
    if options.version != V5:
        return {"protocol": aiomqtt.ProtocolVersion.V311, "clean_session": False}
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho types some of itself
    properties.SessionExpiryInterval = SESSION_EXPIRY_NEVER
    properties.ReceiveMaximum = options.receive_max
    return {
        "protocol": aiomqtt.ProtocolVersion.V5,
        "clean_start": False,
        "properties": properties,
    }
