"""MQTT 5 packets by the codec of the whole protocol, one at a time."""

from mqtt5 import PublishPacket, QoS, read


def plain_publishes(data):
    """Return (topic, packet id, payload) of the leading plain PUBLISH packets, and the bytes behind them."""
    rows = []
    while data:
        try:
            packet, size = read(memoryview(data))
        except (IndexError, ValueError):
            break
        is_plain = (
            isinstance(packet, PublishPacket)
            and packet.qos != QoS.EXACTLY_ONCE
            and not packet.retain
            and packet.topic
            and (packet.qos == QoS.AT_LEAST_ONCE or not packet.duplicate)
            and packet.write() == data[:size]
            and PublishPacket(
                packet.topic,
                packet.payload,
                qos=packet.qos,
                packet_id=packet.packet_id,
                duplicate=packet.duplicate,
            ).write()
            == data[:size]
        )
        if not is_plain:
            break
        rows.append((packet.topic, packet.packet_id or 0, packet.payload))
        data = data[size:]
    return rows, data
