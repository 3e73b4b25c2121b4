"""The start of a packet that is not all there: kept as it came, joined once."""

from phusong.collector.mqtt.codec import packet_bytes


class Tail:
    """Chunks from the first byte of a packet on."""

    def __init__(self) -> None:
        """Start with nothing kept."""
        self._chunks: list[bytes] = []
        self._size = 0
        self._wanted_bytes = 0  # of the packet begun, 0 while its length is not known

    def __bool__(self) -> bool:
        """Whether a packet has begun."""
        return bool(self._chunks)

    def joined(self, data: bytes) -> bytes | None:
        """Return everything kept and a new chunk as one, None while the packet begun is not all there."""
        if not self._chunks:
            return data
        self._chunks.append(data)
        self._size += len(data)
        if self._size < self._wanted_bytes:
            return None
        data = b"".join(self._chunks)
        self.clear()
        return data

    def keep(self, start: memoryview) -> int:
        """Keep the start of a packet; return how long the packet will be, 0 when that is not known yet.

        Raises Malformed.
        """
        self._wanted_bytes = packet_bytes(start) or 0
        self._chunks = [bytes(start)]
        self._size = len(start)
        return self._wanted_bytes

    def clear(self) -> None:
        """Forget everything kept."""
        self._chunks = []
        self._size = self._wanted_bytes = 0
