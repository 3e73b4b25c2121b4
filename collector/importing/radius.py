"""RADIUS accounting records (RFC 2866, RFC 2869) as a table, one record on each line.

`Input` is what came in from the subscriber: uplink. The octet counters are 32 bits wide; where the Gigawords are not given they are
not known, which is not zero. `capture_ts` is when the record was received by a system whose clock is trusted, `event_ts` what the
sender's clock said.
"""

import polars as pl

from phusong.collector.importing.options import ImportOptions, derived_key
from phusong.collector.importing.personal import refuse_personal_keys
from phusong.collector.importing.sheet import Sheet
from phusong.collector.importing.tables import TextTable

REQUIRED = ("status_type", "event_ts", "in_octets32", "out_octets32")
OPTIONAL = (
    "capture_ts", "acct_delay_s", "in_giga", "out_giga", "session_time_s", "subscriber_key",
    "session", "operator", "source",
)  # fmt: skip

TELLING = ("event_ts", "in_octets32", "out_octets32")

# RFC 2866 section 5.1, as numbers and as servers write them.
RECORD_TYPES = {
    "1": "START", "start": "START",
    "2": "STOP", "stop": "STOP",
    "3": "INTERIM", "interim": "INTERIM", "interim-update": "INTERIM", "alive": "INTERIM",
}  # fmt: skip

COUNTER_WIDTH_BITS = "32"
MS_PER_S = 1000

COLUMN_OF = {
    "record_type": "status_type",
    "observed_time_ms": "event_ts",
    "received_time_ms": "capture_ts",
    "reporting_delay_ms": "acct_delay_s",
    "uplink_bytes": "in_octets32",
    "downlink_bytes": "out_octets32",
    "uplink_gigawords": "in_giga",
    "downlink_gigawords": "out_giga",
    "session_time_ms": "session_time_s",
}


def radius_sheet(table: TextTable, options: ImportOptions, file: str, digest_hex: str) -> Sheet:
    """Return a run of records as usage readings.

    digest_hex: of the file's content; without keys of its own the file is one session of one nameless subscriber.

    Raises:
        ImportRefused: its keys are numbers of SIMs or telephones.
    """
    absent = [name for name in OPTIONAL if name not in table.columns.columns]
    log = table.columns.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)
    refuse_personal_keys(file, "subscriber_key", log["subscriber_key"])
    subscriber = options.subscriber or derived_key("radius", digest_hex)
    session = options.session or f"file-{digest_hex[:16]}"
    kind = pl.col("status_type").str.to_lowercase()
    fields = log.select(
        record_type=kind.replace_strict(
            RECORD_TYPES, default=pl.col("status_type"), return_dtype=pl.String
        ).fill_null("(absent)"),
        observed_time_ms=_ms("event_ts"),
        received_time_ms=_ms("capture_ts"),
        reporting_delay_ms=_ms("acct_delay_s"),
        uplink_bytes=pl.col("in_octets32"),
        downlink_bytes=pl.col("out_octets32"),
        uplink_gigawords=pl.col("in_giga"),
        downlink_gigawords=pl.col("out_giga"),
        counter_width_bits=pl.lit(COUNTER_WIDTH_BITS),
        counter_kind=pl.lit("CUMULATIVE"),
        session_time_ms=_ms("session_time_s"),
        subscriber_key=pl.lit(subscriber)
        if "subscriber_key" in absent
        else pl.col("subscriber_key"),
        session=pl.lit(session) if "session" in absent else pl.col("session"),
        operator=pl.col("operator"),
        source=pl.col("source"),
    )
    columns = {column.name: column for column in fields}
    return Sheet(columns, table.columns, table.line, table.bad_lines, table.read_bytes)


def start_count(table: TextTable) -> int:
    """Return how many sessions start in a run of records."""
    kind = table.columns["status_type"].str.to_lowercase()
    return int(kind.is_in(["1", "start"]).sum())


def _ms(column: str) -> pl.Expr:
    """Return seconds with decimals as milliseconds, exactly: digits are moved, nothing is multiplied. Other text stays."""
    whole = pl.col(column).str.extract(r"^(\d+)(?:\.\d*)?$", 1)
    decimals = pl.col(column).str.extract(r"^\d+\.(\d*)$", 1).fill_null("")
    return pl.coalesce(whole + (decimals + "000").str.slice(0, 3), pl.col(column))
