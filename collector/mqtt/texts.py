"""Whether the texts of an MQTT 5 packet are texts and its reserved bits 0, looked at before the codec reads it.

The codec panics where a text is not UTF-8, and does not look at U+0000 or at these bits.

A packet is walked field by field; plain messages never come here (`kernels.publishes`), so slow is good enough. A walk that runs off the packet stops: the codec says what is wrong with it.
"""

CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE = 1, 3, 8, 10
# Packets that clients send with a packet id, a reason code and properties at most.
ANSWERS = (4, 5, 6, 7)
DISCONNECT, AUTH = 14, 15

# Properties of MQTT 5, table 2-4: how many bytes a value has; strings, binaries and pairs say it themselves.
FIXED_BYTES = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
SUBSCRIPTION_IDENTIFIER = 0x0B
STRINGS = (0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F)
BINARIES = (0x09, 0x16)
USER_PROPERTY = 0x26

RESERVED_FLAG, WILL_FLAG, WILL_DETAILS, USER_NAME_FLAG = 0x01, 0x04, 0x38, 0x80
RESERVED_OPTIONS = 0xC0


class Malformed(Exception):
    """The bytes are no MQTT 5 packet."""


class ProtocolBroken(Malformed):
    """The bytes are a packet that a client may not send."""


def assert_texts(packet: memoryview) -> None:
    """Raise Malformed when a text in a whole packet is not UTF-8 or holds U+0000 (MQTT 5, 1.5.4)."""
    walk = _Walk(bytes(packet))
    try:
        walk.packet()
    except IndexError:
        return


def assert_topic_name(topic: bytes) -> None:
    """Raise Malformed when bytes are no name to publish on (MQTT 5, 1.5.4 and 3.3.2.1)."""
    _assert_text(topic)
    if has_wildcard(topic.decode()):
        raise Malformed("a topic to publish on has no wildcards (MQTT-3.3.2-2)")


def has_wildcard(topic: str) -> bool:
    """Tell whether a topic is one for filters only."""
    return "+" in topic or "#" in topic


class _Walk:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 1
        self._varint()

    def packet(self) -> None:
        kind = self._content[0] >> 4
        if kind == CONNECT:
            self._connect()
        elif kind == PUBLISH:
            self._text()
            self._skip(2 if self._content[0] & 0x06 else 0)
            self._properties()
        elif kind in (SUBSCRIBE, UNSUBSCRIBE):
            self._skip(2)
            self._properties()
            while self._position < len(self._content):
                self._text()
                if kind == SUBSCRIBE and self._byte() & RESERVED_OPTIONS:
                    raise Malformed("reserved bits of subscription options (MQTT-3.8.3-5)")
        elif kind in ANSWERS:
            self._skip(3)
            self._properties()
        elif kind in (DISCONNECT, AUTH):
            self._skip(1)
            self._properties()

    def _connect(self) -> None:
        self._text()  # the protocol's name
        self._skip(1)
        flags = self._byte()
        if flags & RESERVED_FLAG:
            raise Malformed("the reserved flag of CONNECT is set (MQTT-3.1.2-3)")
        if flags & WILL_DETAILS and not flags & WILL_FLAG:
            raise Malformed("QoS or retain of no will (MQTT-3.1.2-11, MQTT-3.1.2-13)")
        self._skip(2)
        self._properties()
        self._text()  # client id
        if flags & WILL_FLAG:
            self._properties()
            self._text()
            self._skip(self._length())
        if flags & USER_NAME_FLAG:
            self._text()

    def _properties(self) -> None:
        end = self._varint() + self._position
        while self._position < end:
            name = self._byte()
            if name in FIXED_BYTES:
                self._skip(FIXED_BYTES[name])
            elif name in STRINGS:
                self._text()
            elif name in BINARIES:
                self._skip(self._length())
            elif name == USER_PROPERTY:
                self._text()
                self._text()
            elif name == SUBSCRIPTION_IDENTIFIER:
                self._varint()
            else:
                raise Malformed(f"property {name:#04x} is unknown")

    def _text(self) -> None:
        length = self._length()
        text = self._content[self._position : self._position + length]
        self._skip(length)
        _assert_text(text)

    def _length(self) -> int:
        return self._byte() << 8 | self._byte()

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _byte(self) -> int:
        self._position += 1
        return self._content[self._position - 1]

    def _skip(self, count: int) -> None:
        self._position += count


def _assert_text(text: bytes) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise Malformed("a text is not UTF-8 (MQTT-1.5.4-1)") from error
    if b"\0" in text:
        raise Malformed("a text holds U+0000 (MQTT-1.5.4-2)")
