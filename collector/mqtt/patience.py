"""How long a client may take: to say something, to finish a packet, to read what it is told. No clock of its own."""

from typing import NamedTuple

from phusong.collector.mqtt.codec import DisconnectReasonCode

# The rule of MQTT 5, 3.1.2.10.
KEEP_ALIVE_SHARE = 1.5


class Overdue(NamedTuple):
    """Why a client has to go."""

    code: DisconnectReasonCode
    reason: str
    is_deaf: bool = False  # it reads nothing, so there is no use in telling it


class Patience:
    """Of one connected client."""

    def __init__(self, keep_alive_s: int, timeout_s: float, now_s: float) -> None:
        """`timeout_s` is for a packet begun, however slowly it trickles in, and for answers that nobody reads."""
        self._keep_alive_s = keep_alive_s * KEEP_ALIVE_SHARE
        self._timeout_s = timeout_s
        self._heard_s = now_s
        self._begun_s: float | None = None
        self._unread_s: float | None = None
        self._is_held = False

    @property
    def look_again_s(self) -> float:
        """How long to wait until the next look: whoever is late is found late by no more than that."""
        return min(self._keep_alive_s, self._timeout_s) / 2

    def hear(self, now_s: float, *, is_inside_packet: bool, is_packet_new: bool) -> None:
        """Note that bytes came, and whether they ended inside a packet, and one that had not begun before."""
        self._heard_s = now_s
        if not is_inside_packet:
            self._begun_s = None
        elif is_packet_new or self._begun_s is None:
            self._begun_s = now_s

    def hold(self, now_s: float, *, is_held: bool) -> None:
        """Note that it is us who do not read, or read again: that is not the client's time."""
        self._is_held = is_held
        self._heard_s = now_s
        if self._begun_s is not None:
            self._begun_s = now_s

    def has_been_held(self, now_s: float) -> bool:
        """Tell whether we have not read for so long that a client which keeps alive has given us up."""
        return self._is_held and now_s - self._heard_s >= self._keep_alive_s

    def mark_unread(self, now_s: float | None) -> None:
        """Note that the client takes nothing more of what is written since a moment; None: it does."""
        self._unread_s = now_s

    def overdue(self, now_s: float) -> Overdue | None:
        """Return why the client has to go, None while it may stay."""
        if self._unread_s is not None and now_s - self._unread_s >= self._timeout_s:
            reason = f"did not read its answers for {now_s - self._unread_s:.1f} s"
            return Overdue(DisconnectReasonCode.UNSPECIFIED_ERROR, reason, is_deaf=True)
        if self._is_held or self._unread_s is not None:
            return None  # nothing is read: what the client says waits in its socket
        if self._begun_s is not None and now_s - self._begun_s >= self._timeout_s:
            reason = f"a packet was not whole {now_s - self._begun_s:.1f} s after its first byte"
            return Overdue(DisconnectReasonCode.UNSPECIFIED_ERROR, reason)
        if now_s - self._heard_s >= self._keep_alive_s:
            reason = f"silent for {now_s - self._heard_s:.1f} s"
            return Overdue(DisconnectReasonCode.KEEP_ALIVE_TIMEOUT, reason)
        return None
