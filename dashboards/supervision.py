"""What a supervisor of services is told: ready, reloading, stopping, alive. systemd's protocol, sd_notify(3).

A datagram of lines to the socket in NOTIFY_SOCKET. Without one, nobody listens and nothing is said.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)

# How soon a change is told. Being ready is what others wait for at a start.
LOOK_EVERY_S = 0.2
# Of the supervisor's patience: three signs of life may be missed for one that counts.
SIGNS_PER_PATIENCE = 4
TAKING = "telemetry is taken and judged"


class Watched(Protocol):
    """What is asked of the service."""

    def not_ready(self) -> str | None:
        """Say why telemetry is not taken or not judged, None when it is."""

    @property
    def stuck_s(self) -> float:
        """For how long the thread that commits has been at one step."""


class Supervisor:
    """Who started us and wants to know how it goes."""

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        """`address` is a path, or @ and an abstract name; "" is nobody. `watchdog_s` is how long it waits for signs of life."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._is_ready = False
        self._status = ""

    def reloading(self) -> None:
        """Say that settings are being read again."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self) -> None:
        """Say that they have been, if it was ready before."""
        if self._is_ready:
            self._tell("READY=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._tell("STOPPING=1", "STATUS=stopping; everything acknowledged is on disk")

    async def watch(self, service: Watched) -> None:
        """Tell for ever how the service is. It is alive while this loop turns and commits go on."""
        every_s = LOOK_EVERY_S
        if self._watchdog_s is not None:
            every_s = min(every_s, self._watchdog_s / SIGNS_PER_PATIENCE)
        look_s = asyncio.get_running_loop().time
        signed_s = -every_s
        while self._address:
            self._tell_state(service.not_ready())
            if (
                self._watchdog_s is not None
                and look_s() - signed_s >= self._watchdog_s / SIGNS_PER_PATIENCE
            ):
                # A step that takes longer than half of the supervisor's patience is no sign of life.
                if service.stuck_s < self._watchdog_s / 2:
                    self._tell("WATCHDOG=1")
                signed_s = look_s()
            await asyncio.sleep(every_s)

    def _tell_state(self, trouble: str | None) -> None:
        status = TAKING if trouble is None else f"not ready: {trouble}"
        lines = []
        if trouble is None and not self._is_ready:
            self._is_ready = True
            lines.append("READY=1")
        # A reason often counts seconds: what is new in it is not worth a datagram each time.
        if status[:40] != self._status[:40]:
            self._status = status
            lines.append(f"STATUS={status}")
        if lines:
            self._tell(*lines)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.sendto("\n".join(lines).replace("\0", "").encode(), self._address)
        except OSError as error:
            log.warning(
                "the supervisor at NOTIFY_SOCKET does not hear: %s",
                error.strerror,
                extra={"event": "supervisor_deaf", "reason": error.strerror},
            )


def supervisor_of(variable: Callable[[str], str | None], pid: int) -> Supervisor:
    """Return the supervisor that variables of the environment name; a watchdog of another process is none of ours."""
    patience_us, watched_pid = variable("WATCHDOG_USEC") or "", variable("WATCHDOG_PID")
    is_ours = watched_pid in (None, str(pid))
    watchdog_s = int(patience_us) / 1e6 if is_ours and patience_us.isdecimal() else None
    return Supervisor(variable("NOTIFY_SOCKET") or "", watchdog_s or None)
