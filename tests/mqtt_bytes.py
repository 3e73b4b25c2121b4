"""MQTT 5 packets by hand, right or wrong: no codec decides what may be written."""


def varint(value):
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def packet(first, content=b""):
    return bytes([first]) + varint(len(content)) + content


def text(content):
    return len(content).to_bytes(2, "big") + content


def connect(*, name=b"MQTT", level=5, flags=0x02, properties=b"", client_id=b"peer", rest=b""):
    head = text(name) + bytes([level, flags, 0, 60])
    return packet(0x10, head + varint(len(properties)) + properties + text(client_id) + rest)


def publish_bytes(first=0x32, *, topic=b"a", packet_id=1, properties=b"", payload=b"x"):
    number = packet_id.to_bytes(2, "big") if first & 0x06 else b""
    return packet(first, text(topic) + number + varint(len(properties)) + properties + payload)
