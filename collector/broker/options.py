"""Which broker is read, as whom, and what is asked of it."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from phusong.collector.topics import TOPIC_ROOT

V3_1_1 = "3.1.1"
V5 = "5"

PORT = 1883
# A commit takes milliseconds, so this many in flight never hold the client up; with batches of 64 KiB they are 64 MiB.
RECEIVE_MAX = 1024
# A dead network is noticed within one and a half of this.
KEEP_ALIVE_S = 30

BATCH_FILTERS = (f"{TOPIC_ROOT}/+/+/batch", f"{TOPIC_ROOT}/+/+/batch/json")


@dataclass(frozen=True, slots=True)
class BrokerOptions:
    """A broker and the session we keep there. The client id must stay the same and be nobody else's."""

    host: str
    client_id: str
    port: int = PORT
    version: str = V5
    group: str = ""  # of the shared subscription; "" is a subscription of our own
    username: str = ""
    password: str = field(default="", repr=False)
    receive_max: int = RECEIVE_MAX
    keep_alive_s: int = KEEP_ALIVE_S
    tls_ca_file: Path | None = None  # None: no TLS
    tls_certificate_file: Path | None = None
    tls_key_file: Path | None = None
    # "<operator>/<source>" of the register: what may come over this broker, "" where none is named.
    credential: str = ""

    @property
    def filters(self) -> tuple[str, ...]:
        """What is subscribed to."""
        if not self.group:
            return BATCH_FILTERS
        return tuple(f"$share/{self.group}/{pattern}" for pattern in BATCH_FILTERS)

    @property
    def address(self) -> str:
        """The broker, for people."""
        return f"{self.host}:{self.port}"

    def tls_context(self) -> ssl.SSLContext | None:
        """Return what TLS needs, None without TLS. Raises OSError when a file cannot be read or used."""
        if self.tls_ca_file is None:
            return None
        context = ssl.create_default_context(cafile=self.tls_ca_file)
        if self.tls_certificate_file is not None:
            context.load_cert_chain(self.tls_certificate_file, self.tls_key_file)
        return context
