"""How much one gRPC connection, call and stream may be, and for how long."""

from phusong.kernels.wire.decode import PAYLOAD_MAX_BYTES

# More than the largest payload: one that is too large is kept and gets a receipt that says so. Past this, which
# is gRPC's own usual limit, the library refuses it before we see it.
MESSAGE_MAX_BYTES = 4 * PAYLOAD_MAX_BYTES

# Calls of one connection that may be under way, watches included; the client holds the others back, as HTTP/2 says. A call
# waits for its commit with its payload in memory, so this bounds what one connection can make us hold.
CALL_COUNT_MAX = 128
# Of all connections. Past it calls are refused at once (RESOURCE_EXHAUSTED, by the library and so without a delay). The
# library counts a call before it knows who calls, so whoever may not come in is sent away before its message is read.
ALL_CALLS_COUNT_MAX = 8192
# Questions that anybody may ask, health and reflection: so many at a time, each for so long as a hello may take.
QUESTION_COUNT_MAX = 64
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
REFLECTION_START = "/grpc.reflection."
OPTIONS = (
    ("grpc.max_receive_message_length", MESSAGE_MAX_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", CALL_COUNT_MAX),
    # Names and a token.
    ("grpc.max_metadata_size", 16_384),
    # A connection without calls goes after five minutes, any after a day: its certificate may be an old one by then.
    ("grpc.max_connection_idle_ms", 300_000),
    ("grpc.max_connection_age_ms", 86_400_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    # A peer that vanished is noticed; one that pings more often than this is sent away.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

# Batches of one stream that wait for their commit; HTTP/2 flow control holds back the rest.
STREAM_IN_FLIGHT_MAX = 256
