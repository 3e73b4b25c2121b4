"""The file of handovers. Apart from the records themselves, because reading it takes Polars to load.

CSV with the columns

    subscriber_key   the operator's 64-bit key, as in the register of SIMs
    handover_date    2021-10-01, when the computer was given; or `date`
    province_code    2021 code of the province
    phase            1, 2 … of the programme; may be left out
"""

import io

import polars as pl

from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.verifier.registry.handovers import NO_PHASE, Handovers
from phusong.verifier.registry.sims_file import HEADER_LINES, date_of, int64_of, key_of, last_days
from phusong.verifier.registry.site_fields import PROVINCE_CODES

KEY, PROVINCE, PHASE = "subscriber_key", "province_code", "phase"
DATES = ("handover_date", "date")
PHASE_MAX = 9  # the plan has two
PROVINCE_DIGITS = 2


def read_handovers(content: bytes, *, is_longer: bool = True) -> Handovers | list[LineError]:
    """Return the records in a CSV file, or every error found in it. is_longer: the reading of "three months"."""
    try:
        table = pl.read_csv(
            io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), infer_schema=False, glob=False
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        return [LineError(1, "", f"not a CSV file in UTF-8: {error}")]
    date = next((name for name in DATES if name in table.columns), DATES[0])
    expected = (KEY, date, PROVINCE)
    missing = [name for name in expected if name not in table.columns]
    if missing:
        found = ", ".join(table.columns) or "nothing"
        message = (
            f"column missing; expected {', '.join(expected)} and perhaps {PHASE}; found {found}"
        )
        return [LineError(1, name, message) for name in missing]
    if PHASE not in table.columns:
        table = table.with_columns(pl.lit("").alias(PHASE))
    table = table.with_columns(pl.all().fill_null("").str.strip_chars())
    parsed = table.select(
        key_of(KEY).alias(KEY),
        date_of(date).alias("day"),
        pl.col(PROVINCE).str.zfill(PROVINCE_DIGITS).alias(PROVINCE),
        pl.when(pl.col(PHASE) == "")
        .then(NO_PHASE)
        .otherwise(pl.col(PHASE).cast(pl.Int64, strict=False))
        .alias(PHASE),
    )
    return _errors(table, parsed, date) or _records(parsed, is_longer=is_longer)


def _errors(table: pl.DataFrame, parsed: pl.DataFrame, date: str) -> list[LineError]:
    key, phase = pl.col(KEY), pl.col(PHASE)
    has_phase = pl.Series(table[PHASE]) != ""
    is_phase = phase.is_between(1, PHASE_MAX)
    rules = [
        (KEY, key.is_null(), "expected a number of 64 bits, decimal or 0x…"),
        (KEY, key == 0, "0 is no key"),
        (KEY, key.is_not_null() & ~key.is_first_distinct(), "stands on an earlier line too"),
        (date, pl.col("day").is_null(), "expected a date, 2021-10-01"),
        (
            PROVINCE,
            ~pl.col(PROVINCE).is_in(sorted(PROVINCE_CODES)),
            "expected a province code of 2021, 01 to 96",
        ),
        (
            PHASE,
            has_phase & ~is_phase.fill_null(value=False),
            f"expected 1 to {PHASE_MAX}, or nothing",
        ),
    ]
    errors = []
    for column, is_wrong, message in rules:
        wrong = parsed.select(is_wrong.fill_null(value=False).arg_true()).to_series()
        for row in wrong.head(ERROR_COUNT_MAX).to_list():
            text = f"{table[column][row]!r}: {message}"
            errors.append(LineError(row + HEADER_LINES + 1, column, text))
    return sorted(errors)[:ERROR_COUNT_MAX]


def _records(parsed: pl.DataFrame, *, is_longer: bool) -> Handovers:
    last = last_days(parsed["day"], is_longer=is_longer)
    parsed = parsed.with_columns(
        pl.col("day").replace_strict(last, return_dtype=pl.Date).alias("last")
    ).sort(KEY)
    provinces = sorted(parsed[PROVINCE].unique().to_list())
    return Handovers(
        subscriber_key=int64_of(parsed[KEY]),
        day=int64_of(parsed["day"]),
        last_day=int64_of(parsed["last"]),
        phase=int64_of(parsed[PHASE]),
        province=int64_of(parsed[PROVINCE].cast(pl.Enum(provinces))),
        provinces=provinces,
    )
