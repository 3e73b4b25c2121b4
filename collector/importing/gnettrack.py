"""G-NetTrack Pro logs: what each column says, and what it does not.

Learned from seven real logs (the UCC 5G dataset, Raca et al., MMSys 2020), and stated by tests/collector/importing/test_real_logs.py:

- `RSRP` is RSRP in LTE rows. In 3G rows it is -113 + 2·ASU, odd numbers from -113 to -51: the received power of
  the whole carrier as Android reports it for GSM, not RSCP and not RSRP. No field of ours holds it, so a 3G row is in service with no level.
- `RSRP` of 5G rows is the serving level, read as SS-RSRP: their RSRQ reaches -26 dB and their SNR 33 dB, which
  Android's LTE values (-20 and 30 at most) cannot. Their identity has the form of LTE (eNodeB · 256 + cell): it is
  the anchor cell on which the phone is registered (non-standalone 5G), and is passed on as it stands.
- `LACHEX` of 0 marks the seconds between two networks: the mode and the identity are of one and the level, repeated from the row
  before, is of the other. Such a row keeps no level.
- -200 is "no value" and is passed on in the level's field, where the screen refuses it with its reason.
- `NRxRSRP` is the level of a neighbour of which neither the identity nor the technology is logged; it is not read.
- `State` is I (idle), D (data), V (voice). A bit rate in an idle row is no result of a test and is not read.
- Times have no zone.
"""

import unicodedata

import polars as pl

from phusong.collector.importing.options import (
    DEVICE_PER_LOG,
    SOURCE_DEFAULT,
    ImportOptions,
    derived_key,
)
from phusong.collector.importing.sheet import Sheet
from phusong.collector.importing.tables import TextTable
from phusong.kernels.plmn import OPERATORS, plmn_number, plmn_text

REQUIRED = ("Timestamp", "Longitude", "Latitude", "NetworkMode", "RSRP")
OPTIONAL = (
    "Operatorname", "Speed", "RSRQ", "SNR", "DL_bitrate", "UL_bitrate", "State", "PINGAVG",
    "CELLHEX", "NODEHEX", "LACHEX", "RAWCELLID",
)  # fmt: skip

# Columns that tell this format from every other.
TELLING = ("NetworkMode", "RSRP", "Timestamp")

TIMEZONE_DEFAULT = "UTC"

# Names of `NetworkMode`, which are Android's names of network types.
RAT_OF_MODE = {
    **dict.fromkeys(("gsm", "gprs", "edge", "2g"), "GSM"),
    **dict.fromkeys(("umts", "hspa", "hspa+", "hspap", "hsdpa", "hsupa", "wcdma", "3g"), "UMTS"),
    **dict.fromkeys(("lte", "lte_ca", "lte-a", "lte+", "4g"), "LTE"),
    **dict.fromkeys(("5g", "nr", "5g nsa", "5g sa", "nr_nsa", "nr_sa"), "NR"),
}
NO_SERVICE_MODES = ("no service", "noservice", "no_service", "out of service")

_TIMESTAMP = r"^(\d{4})\.(\d{2})\.(\d{2})_(\d{2})\.(\d{2})\.(\d{2})(\.\d{1,6})?$"

BITS_PER_KBIT = 1000
KM_PER_H_IN_M_PER_S = 3.6

# Which column of the log stands behind a field, for messages.
COLUMN_OF = {
    "observed_time_ms": "Timestamp",
    "longitude_deg": "Longitude",
    "latitude_deg": "Latitude",
    "rat": "NetworkMode",
    "rsrp_dbm": "RSRP",
    "ss_rsrp_dbm": "RSRP",
    "rsrq_db": "RSRQ",
    "sinr_db": "SNR",
    "cell_identity": "RAWCELLID",
    "tac": "LACHEX",
    "download_bits_per_s": "DL_bitrate",
    "upload_bits_per_s": "UL_bitrate",
    "latency_ms": "PINGAVG",
    "speed_m_per_s": "Speed",
    "operator": "Operatorname",
}


def operator_slug(name: str) -> str:
    """Return the operator's slug for a name as phones show it: "Viettel Telecom" is viettel."""
    decomposed = unicodedata.normalize("NFKD", name.replace("đ", "d").replace("Đ", "D"))
    letters = "".join(letter for letter in decomposed.lower() if letter.isascii())
    bare = "".join(letter for letter in letters if letter.isalnum())
    for slug in OPERATORS:
        if bare.startswith(slug):
            return slug
    return "-".join("".join(c if c.isalnum() or c in "._-" else " " for c in letters).split())


def plmn_of_operator(slug: str) -> str:
    """Return the network code of an operator of Vietnam, "" for any other."""
    return plmn_text(plmn_number(OPERATORS[slug][0])) if slug in OPERATORS else ""


def device_key_of(options: ImportOptions, file: str) -> str:
    """Return the key of the phone that made a log.

    One phone makes many logs, and evidence of two devices must not come from one: unless the caller says
    otherwise, all logs of a source are one phone's.
    """
    if options.device == DEVICE_PER_LOG:
        return derived_key("gnettrack", options.source or SOURCE_DEFAULT, file)
    return options.device or derived_key("gnettrack", options.source or SOURCE_DEFAULT)


def gnettrack_sheet(table: TextTable, options: ImportOptions, file: str) -> Sheet:
    """Return a run of rows of a log as signal readings."""
    log = _all_columns(table)
    mode = pl.col("NetworkMode").str.to_lowercase()
    is_out = mode.is_in(NO_SERVICE_MODES)
    rat = mode.replace_strict(RAT_OF_MODE, default=pl.col("NetworkMode"), return_dtype=pl.String)
    is_between = pl.col("LACHEX").str.strip_chars_start("0") == ""
    is_test = ~(pl.col("State").str.to_uppercase() == "I").fill_null(value=False)
    log = log.with_columns(
        _rat=pl.when(~is_out).then(rat), _between=is_between.fill_null(value=False)
    )
    is_lte = (pl.col("_rat") == "LTE") & ~pl.col("_between")
    is_nr = (pl.col("_rat") == "NR") & ~pl.col("_between")
    operator = pl.col("Operatorname").map_elements(operator_slug, return_dtype=pl.String)
    fields = log.select(
        observed_time_ms=pl.col("Timestamp").str.replace(_TIMESTAMP, "$1-$2-${3}T$4:$5:$6$7"),
        longitude_deg=pl.col("Longitude"),
        latitude_deg=pl.col("Latitude"),
        # A log that does not say which network it was on says nothing we could file the level under.
        rat=pl.when(pl.col("NetworkMode").is_null())
        .then(pl.lit("(absent)"))
        .otherwise(pl.col("_rat")),
        service_state=pl.when(is_out).then(pl.lit("NO_SERVICE")).otherwise(pl.lit("IN_SERVICE")),
        rsrp_dbm=pl.when(is_lte).then(pl.col("RSRP")),
        ss_rsrp_dbm=pl.when(is_nr).then(pl.col("RSRP")),
        rsrq_db=pl.when(is_lte | is_nr).then(pl.col("RSRQ")),
        sinr_db=pl.when(is_lte | is_nr).then(pl.col("SNR")),
        cell_identity=pl.when(~pl.col("_between") & _is_own_identity()).then(pl.col("RAWCELLID")),
        tac=pl.when(is_lte | is_nr).then(_from_hex("LACHEX")),
        download_bits_per_s=pl.when(is_test).then(_bits_per_s("DL_bitrate")),
        upload_bits_per_s=pl.when(is_test).then(_bits_per_s("UL_bitrate")),
        latency_ms=pl.col("PINGAVG"),
        speed_m_per_s=_scaled("Speed", 1 / KM_PER_H_IN_M_PER_S),
        operator=pl.lit(options.operator) if options.operator else operator,
        device_key=pl.lit(device_key_of(options, file)),
    )
    plmn = (
        pl.lit(options.plmn)
        if options.plmn
        else pl.col("operator").map_elements(plmn_of_operator, return_dtype=pl.String)
    )
    fields = fields.with_columns(serving_plmn=plmn)
    columns = {column.name: column.replace("", None) for column in fields}
    return Sheet(columns, table.columns, table.line, table.bad_lines, table.read_bytes)


def _all_columns(table: TextTable) -> pl.DataFrame:
    absent = [name for name in OPTIONAL if name not in table.columns.columns]
    return table.columns.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in absent)


def _from_hex(column: str) -> pl.Expr:
    number = pl.col(column).str.to_integer(base=16, strict=False)
    # What is not hexadecimal goes on as it stands, to be refused by name.
    return pl.coalesce(number.cast(pl.String), pl.col(column))


def _is_own_identity() -> pl.Expr:
    """Tell whether the identity has the form of the row's own technology.

    After a change of network some rows still carry the cell before: then the parts do not make the whole.
    """
    node = pl.col("NODEHEX").str.to_integer(base=16, strict=False)
    cell = pl.col("CELLHEX").str.to_integer(base=16, strict=False)
    step = pl.when(pl.col("_rat") == "UMTS").then(65536).otherwise(256)
    whole = pl.col("RAWCELLID").cast(pl.Int64, strict=False)
    return (node * step + cell == whole).fill_null(value=True)


def _scaled(column: str, factor: float) -> pl.Expr:
    number = pl.col(column).cast(pl.Float64, strict=False)
    return pl.coalesce((number * factor).cast(pl.String), pl.col(column))


def _bits_per_s(column: str) -> pl.Expr:
    bits = pl.col(column).cast(pl.Float64, strict=False) * BITS_PER_KBIT
    return pl.coalesce(bits.round(0).cast(pl.Int64, strict=False).cast(pl.String), pl.col(column))
