"""The closed list of reasons for which a payload or a row is not counted.

The value is what kernels write into a `reason` column; the name is what receipts, metrics and
`phusong journal quarantine` show. Values are stable: they are in published reports.

A payload that cannot be read is *rejected* as a whole. A row that can be read and not believed is *quarantined*:
kept, listed, and not counted. Neither must be sent again.
"""

from enum import IntEnum

TAKEN = 0  # the reason column of a row that is counted


class Reject(IntEnum):
    """Why not. 1..99 concern a payload as a whole, 100..199 one row, 200..299 a row of a file."""

    EMPTY = 1
    TRUNCATED = 2  # the bytes end inside a field
    MALFORMED = 3  # not protobuf: wire type 3, 4, 6 or 7, field number 0, a varint over 10 bytes
    MISTYPED = 4  # a known field with another wire type than the `.proto` says
    TOO_LARGE = 5
    TOO_MANY_ROWS = 6
    NOT_UTF8 = 7
    NOT_JSON = 8  # not protobuf's JSON mapping of a Batch
    BAD_TOPIC = 9
    BAD_SOURCE = 10  # empty, too long, or characters that are not allowed
    SOURCE_MISMATCH = 11  # the topic names one source and the batch another
    UNKNOWN_SOURCE = 12  # a register of sources is loaded and it is not in it
    BAD_OPERATOR = 13
    NO_ROWS = 14
    CREDENTIAL_MISSING = 15  # the source has a credential, and this came without one
    CREDENTIAL_UNKNOWN = 16  # the register no longer has the credential it came with
    OPERATOR_FORBIDDEN = 17  # the credential is another operator's
    TOPIC_FORBIDDEN = 18  # none of the credential's topics is this source's
    SEQUENCE_UNTRACKED = (
        19  # more boot epochs or gaps than are remembered: a repeat could not be told
    )

    KEY_MISSING = 100  # device_key or subscriber_key is 0
    TIME_MISSING = 101
    CLOCK_FAR = 102  # the observed time is too far from the arrival to say when it was measured
    RAT_UNKNOWN = 103
    LEVEL_MISSING = 104  # in service, but no level in the field of its RAT
    LEVEL_OUT_OF_RANGE = 105  # also the sentinels of real logs: -200, 2147483647
    QUALITY_OUT_OF_RANGE = 106  # RSRQ or SINR
    POSITION_MISSING = 107
    POSITION_OUT_OF_RANGE = 108
    POSITION_INACCURATE = 109  # worse than the policy allows
    PLMN_INVALID = 110
    SERVING_NETWORK_UNKNOWN = (
        111  # in service, and neither the row nor its route says whose network
    )
    CELL_IDENTITY_OUT_OF_RANGE = 112
    PCI_OUT_OF_RANGE = 113
    TAC_OUT_OF_RANGE = 114
    TEST_RESULT_OUT_OF_RANGE = 115
    SPEED_IMPOSSIBLE = 116
    ENUM_UNKNOWN = 117
    COUNTER_OUT_OF_RANGE = 118  # negative, over its own width, or more than any radio carries
    COUNTER_ABSURD = 119  # more than the fastest radio could carry in the time
    COUNTER_WENT_BACK = (
        120  # lower than before, later than before, and no wrap or epoch explains it
    )
    INTERVAL_INVALID = 121  # ends before it starts, or negative
    SITE_UNKNOWN = 122
    LOAD_OUT_OF_RANGE = 123
    HISTOGRAM_INVALID = 124
    SEQUENCE_MISSING = 125  # a delta without Batch.sequence could be counted twice
    NOT_A_SERVING_CELL = 126  # a neighbour's level: kept, never service
    ROW_KIND_FORBIDDEN = 127  # the credential, or the source, is bound to rows of other kinds
    SITE_FORBIDDEN = 128  # … to other sites
    SUBSCRIBER_FORBIDDEN = 129  # … to other subscribers
    SEQUENCE_NEEDED = 130  # without Batch.sequence, and too old or too many to tell from a repeat
    # Of the plausibility screen, which judges readings by each other when verdicts are given: so a receipt says accepted.
    SPEED_IMPLIED = 131  # no traveller could have made it besides the device's other readings
    LEVEL_STUCK = 132  # the same level to the digit over a distance at which it cannot be
    CELL_STUCK = 133  # one serving cell over a distance no cell reaches
    POSITION_SHARED = 134  # many devices at exactly the same coordinates
    LEVEL_ABOVE_FREE_SPACE = 135  # louder than the claimed cell could be at that distance
    RULED_OUT = 136  # an auditor confirmed that it does not count
    # Of reservations: the caller is told, and nothing is journalled.
    RESERVATION_STALE = 148  # a step older than the session's last one
    RESERVATION_TOO_MANY = 149  # a subscriber with more sessions than any phone has

    COLUMN_MISSING = 200
    NOT_A_NUMBER = 201
    NOT_A_TIME = 202
    UNKNOWN_VALUE = 203  # a word that is none of the field's
    TOO_FEW_FIELDS = 204
    TOO_MANY_FIELDS = 205
    LINE_TOO_LONG = 206


def reason_name(reason: int) -> str:
    """Return the name of a reason, "TAKEN" for 0."""
    return "TAKEN" if reason == TAKEN else Reject(reason).name
