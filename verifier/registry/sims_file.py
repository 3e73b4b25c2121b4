"""The file of a register of SIMs. Apart from the register itself, because reading it takes Polars to load.

CSV with the columns

    subscriber_key   the operator's 64-bit key: decimal, signed or unsigned, or 0x and up to 16 hex digits
    operator         who issued the SIM, as in topics: "viettel"
    province_code    2021 code of the province; may be left out
    handover_date    2021-10-01, when the computer was given; or `start`
    end              last entitled day; may be left out: three months after the start

A million lines take a few seconds.
"""

import datetime as dt
import io

import numpy as np
import polars as pl

from phusong.kernels.columns import Int64Column
from phusong.kernels.registers import ERROR_COUNT_MAX, LineError
from phusong.kernels.route_names import SLUG
from phusong.verifier.registry.entitlement import last_entitled_day
from phusong.verifier.registry.sims import SimRegister

KEY, OPERATOR, PROVINCE, END = "subscriber_key", "operator", "province_code", "end"
STARTS = ("handover_date", "start")
UNIX_DAY = dt.date(1970, 1, 1)
HEADER_LINES = 1
# Polars reads "-021-10-01" as a year before Christ.
YEAR_MIN, YEAR_MAX = 1, 9998

DECIMAL = r"^[+-]?\d{1,20}$"
HEXADECIMAL = r"^0[xX][0-9a-fA-F]{1,16}$"


def read_sims(content: bytes, *, is_longer: bool = True) -> SimRegister | list[LineError]:
    """Return the register in a CSV file, or every error found in it. is_longer: the reading of "three months"."""
    try:
        table = pl.read_csv(
            io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), infer_schema=False, glob=False
        )
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        return [LineError(1, "", f"not a CSV file in UTF-8: {error}")]
    start = next((name for name in STARTS if name in table.columns), None)
    missing = [name for name in (KEY, OPERATOR) if name not in table.columns]
    if missing or start is None:
        found = ", ".join(table.columns) or "nothing"
        column = missing[0] if missing else STARTS[0]
        expected = f"{KEY}, {OPERATOR}, {' or '.join(STARTS)}"
        return [LineError(1, column, f"column missing; expected {expected}; found {found}")]
    optional = [pl.lit("").alias(name) for name in (PROVINCE, END) if name not in table.columns]
    table = table.with_columns(optional).with_columns(pl.all().fill_null("").str.strip_chars())
    parsed = parse_columns(table, start)
    errors = find_errors(table, parsed, start)
    return errors or register_of(parsed, is_longer=is_longer)


def parse_columns(table: pl.DataFrame, start: str) -> pl.DataFrame:
    """Return keys as int64 bits and days as dates; null where a text is neither."""
    return table.select(
        key_of(KEY).alias(KEY),
        pl.col(OPERATOR),
        pl.col(PROVINCE),
        date_of(start).alias("first"),
        date_of(END).alias(END),
    )


def key_of(column: str) -> pl.Expr:
    """Return a text as the int64 bits of a key, null where it is none."""
    key = pl.col(column)
    digits = pl.when(key.str.contains(HEXADECIMAL)).then(key.str.slice(2)).otherwise(None)
    unsigned = pl.when(key.str.contains(DECIMAL)).then(key.str.strip_prefix("+")).otherwise(None)
    return pl.coalesce(
        unsigned.cast(pl.Int64, strict=False),
        unsigned.cast(pl.UInt64, strict=False).reinterpret(signed=True),
        digits.str.to_integer(base=16, dtype=pl.UInt64, strict=False).reinterpret(signed=True),
    )


def date_of(column: str) -> pl.Expr:
    """Return a text as a date, null where it is none that Python can hold with some months to spare."""
    date = pl.col(column).str.to_date("%Y-%m-%d", strict=False)
    return pl.when(date.dt.year().is_between(YEAR_MIN, YEAR_MAX)).then(date)


def find_errors(table: pl.DataFrame, parsed: pl.DataFrame, start: str) -> list[LineError]:
    """Return what is wrong, in the order of the lines, up to ERROR_COUNT_MAX errors."""
    key, last = pl.col(KEY), pl.col(END)
    slug = f"^(?:{SLUG.pattern})$"
    rules = [
        (KEY, key.is_null(), "expected a number of 64 bits, decimal or 0x…"),
        (KEY, key == 0, "0 is no key"),
        (KEY, key.is_not_null() & ~key.is_first_distinct(), "stands on an earlier line too"),
        (OPERATOR, ~pl.col(OPERATOR).str.contains(slug), "expected 1 to 64 of a-z 0-9 . _ -"),
        (start, pl.col("first").is_null(), "expected a date, 2021-10-01"),
        (END, last.is_null() & (pl.Series(table[END]) != ""), "expected a date, 2022-01-01"),
        (END, last < pl.col("first"), f"is before {start}"),
    ]
    errors = []
    for column, is_wrong, message in rules:
        wrong = parsed.select(is_wrong.fill_null(value=False).arg_true()).to_series()
        for row in wrong.head(ERROR_COUNT_MAX).to_list():
            text = f"{table[column][row]!r}: {message}"
            errors.append(LineError(row + HEADER_LINES + 1, column, text))
    return sorted(errors)[:ERROR_COUNT_MAX]


def register_of(parsed: pl.DataFrame, *, is_longer: bool) -> SimRegister:
    """Return the register of columns without errors."""
    last = pl.col("first").replace_strict(
        last_days(parsed["first"], is_longer=is_longer), return_dtype=pl.Date
    )
    parsed = parsed.with_columns(pl.coalesce(pl.col(END), last).alias(END)).sort(KEY)
    operators, provinces = (
        sorted(parsed[name].unique().to_list()) for name in (OPERATOR, PROVINCE)
    )
    return SimRegister(
        subscriber_key=int64_of(parsed[KEY]),
        operator=int64_of(parsed[OPERATOR].cast(pl.Enum(operators))),
        province=int64_of(parsed[PROVINCE].cast(pl.Enum(provinces))),
        first_day=int64_of(parsed["first"]),
        last_day=int64_of(parsed[END]),
        operators=operators,
        provinces=provinces,
    )


def int64_of(column: pl.Series) -> Int64Column:
    """Return the numbers behind keys, dates and places in a list."""
    return np.array(column.to_physical().cast(pl.Int64).to_numpy(), np.int64)


def last_days(handovers: pl.Series, *, is_longer: bool) -> dict[dt.date, dt.date]:
    """Return the last entitled day of every distinct day of handover: there are few."""
    days = handovers.unique().to_list()
    return {day: last_entitled_day(day, is_longer=is_longer) for day in days}
