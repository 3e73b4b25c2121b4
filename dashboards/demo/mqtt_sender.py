"""An operator's MQTT client: one connection a source, QoS 1, several messages in flight."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import aiomqtt

from phusong.dashboards.demo.messages import Message, SendingFailed

# Few enough for any receive maximum, many enough that the connection never idles for a commit.
IN_FLIGHT_COUNT = 16
# A commit takes milliseconds; a service that compiles its kernels for the first time may take a minute.
ACKNOWLEDGED_WITHIN_S = 180.0

LOGGER = logging.getLogger("phusong.demo.mqtt")
LOGGER.setLevel(
    logging.ERROR
)  # aiomqtt warns of more than ten calls at once, which is the point here


async def send_by_mqtt(
    port: int, messages: list[Message], acknowledged: Callable[[Message], None]
) -> None:
    """Publish the messages of one source in order; call `acknowledged` as each PUBACK comes.

    Raises SendingFailed when the service cannot be reached or does not answer in time.
    """
    waiting = iter(messages)
    try:
        async with (
            aiomqtt.Client(
                "127.0.0.1",
                port,
                identifier=f"demo-{messages[0].source.name}",
                protocol=aiomqtt.ProtocolVersion.V5,
                timeout=ACKNOWLEDGED_WITHIN_S,
                max_inflight_messages=IN_FLIGHT_COUNT,
                logger=LOGGER,
            ) as client,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(IN_FLIGHT_COUNT):
                group.create_task(_publish(client, waiting, acknowledged))
    except* aiomqtt.MqttError as errors:
        raise SendingFailed(f"{messages[0].source.name} by MQTT: {errors.exceptions[0]}") from None


async def _publish(
    client: aiomqtt.Client, waiting: Iterator[Message], acknowledged: Callable[[Message], None]
) -> None:
    for message in waiting:
        await client.publish(message.topic, message.payload, qos=1)
        acknowledged(message)
