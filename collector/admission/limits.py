"""How many may come, how often, and how much each may bring. Every limit can be configured; 0 is none, where it says so."""

from dataclasses import dataclass

# Each takes a file descriptor and a few KiB; the usual limit of descriptors is the nearer one.
CONNECTION_COUNT_MAX = 50_000
# Devices of one mobile network share an address behind its NAT, so one address may be thousands.
PEER_CONNECTION_COUNT_MAX = 10_000
# A source is one system. A pool of connections is fine, a loop that forgets to close them is not.
SOURCE_CONNECTION_COUNT_MAX = 100
# New connections of one address. A whole network may come back at once after an outage; TLS costs a millisecond each.
PEER_CONNECTS_PER_S_MAX = 500
# Of one source: a third of what one disk takes, so that a source that has gone wild leaves room for the others.
SOURCE_BYTES_PER_S_MAX = 128 << 20
# Half of what both cores of a small machine take in.
SOURCE_PAYLOADS_PER_S_MAX = 1_000_000
# Scrapers, probes and people.
HTTP_CONNECTION_COUNT_MAX = 256
# A device that vanished holds its connection for one and a half times this.
KEEP_ALIVE_MAX_S = 900
# A packet begun must be whole by then, however large: 1 MiB at 140 kbit/s.
PACKET_TIMEOUT_S = 60
# From the first byte to the CONNECT, and for the handshake of TLS before that.
HELLO_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """What the doors allow."""

    connections: int = CONNECTION_COUNT_MAX
    connections_per_peer: int = PEER_CONNECTION_COUNT_MAX
    connections_per_source: int = SOURCE_CONNECTION_COUNT_MAX
    connects_per_s_per_peer: int = PEER_CONNECTS_PER_S_MAX  # 0: no limit
    bytes_per_s_per_source: int = SOURCE_BYTES_PER_S_MAX  # 0: no limit
    payloads_per_s_per_source: int = SOURCE_PAYLOADS_PER_S_MAX  # 0: no limit
    http_connections: int = HTTP_CONNECTION_COUNT_MAX
    keep_alive_max_s: int = KEEP_ALIVE_MAX_S
    packet_timeout_s: float = PACKET_TIMEOUT_S
    hello_timeout_s: float = HELLO_TIMEOUT_S


DEFAULT_LIMITS = Limits()
