"""Token buckets: what a source may bring a second. Who is handed the time, so that nothing here reads a clock."""

# What was not used is kept for so long, so that a source that sends once a second is not slowed down.
BURST_S = 1.0


class Bucket:
    """So much a second. Spending is never refused: it may end in debt, and who is in debt waits."""

    __slots__ = ("_full", "_last_s", "_level", "per_s")

    def __init__(self, per_s: float, now_s: float) -> None:
        """Start full; 0 a second is no limit."""
        self.per_s = per_s
        self._full = self._level = per_s * BURST_S
        self._last_s = now_s

    def spend(self, amount: float, now_s: float) -> float:
        """Take an amount out; return for how many seconds nothing more may be spent."""
        if not self.per_s:
            return 0.0
        self._level = min(self._full, self._level + (now_s - self._last_s) * self.per_s) - amount
        self._last_s = now_s
        return 0.0 if self._level >= 0 else -self._level / self.per_s

    def wait_s(self, now_s: float) -> float:
        """Return for how many seconds nothing may be spent."""
        return self.spend(0, now_s)


class Budget:
    """Bytes and payloads of one source."""

    __slots__ = ("_bytes", "_payloads")

    def __init__(self, bytes_per_s: float, payloads_per_s: float, now_s: float) -> None:
        """Start with a second's worth of both."""
        self._bytes = Bucket(bytes_per_s, now_s)
        self._payloads = Bucket(payloads_per_s, now_s)

    def spend(self, byte_count: int, payload_count: int, now_s: float) -> float:
        """Take what came; return for how many seconds nothing more may come."""
        return max(self._bytes.spend(byte_count, now_s), self._payloads.spend(payload_count, now_s))
