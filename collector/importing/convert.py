"""Columns of text to columns of values. A cell that says nothing is absent; one that cannot be read is marked."""

from typing import NamedTuple

import numpy as np
import polars as pl

from phusong.collector.importing.fields import (
    COUNTS_MAX,
    PLMN_MAX_BYTES,
    TEXT_MAX_BYTES,
    Field,
    Shape,
)
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.reject import Reject
from phusong.kernels.wire_encode import FIXED32

# What spreadsheets, pandas, databases and drive-test phones write for "nothing here".
ABSENT_WORDS = ("", "-", "null", "none", "nan", "na", "n/a")

FLAG_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "1"), 1),
    **dict.fromkeys(("false", "f", "no", "0"), 0),
}

# Whole numbers as pandas writes them when a column has gaps: "12.0". Exponents are refused: they have lost digits.
_WHOLE_TAIL = r"^([+-]?\d+)\.0+$"
_ISO_TIME = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})[Tt ](?P<hours>\d{2}:\d{2})(?P<seconds>:\d{2})?"
    r"(?P<fraction>[.,]\d{1,9})? ?(?P<zone>[Zz]|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_ZONE_HOURS_MAX = 15  # no zone of the Earth is further from UTC

MS_PER_MINUTE = 60_000
FLOAT32_MAX = float(np.finfo(np.float32).max)


class Values(NamedTuple):
    """One column read: int64 bits or numbers, which cells hold a value, and which could not be read.

    A text's bits are filled by the encoder from `text`; absent and unreadable cells are null in it.
    """

    bits: Int64Column
    is_present: BoolColumn
    is_unreadable: BoolColumn
    text: pl.Series | None = None


def blank_to_null(column: pl.Series) -> pl.Series:
    """Return a text column stripped, with null for every way of saying nothing."""
    stripped = column.str.strip_chars()
    is_absent = stripped.str.to_lowercase().is_in(ABSENT_WORDS)
    return pl.select(pl.when(~is_absent).then(stripped)).to_series().rename(column.name)


def reason_of(shape: Shape) -> Reject:
    """Return the reason under which an unreadable cell of this shape is counted."""
    if shape is Shape.TIME:
        return Reject.NOT_A_TIME
    if shape in (Shape.KEY, Shape.WHOLE, Shape.MEASURE, Shape.COUNTS):
        return Reject.NOT_A_NUMBER
    return Reject.UNKNOWN_VALUE


def convert(field: Field, cells: pl.Series, timezone: str) -> Values:
    """Return the values of a column of text whose absent cells are null.

    timezone: the IANA name of the zone of times that name none, "" if such times are to be refused.
    """
    if field.shape in (Shape.TEXT, Shape.PLMN, Shape.COUNTS):
        return _texts(field, cells)
    if field.shape is Shape.MEASURE:
        return _measures(field, cells)
    if field.shape is Shape.TIME:
        numbers = _times(cells, timezone)
    elif field.shape is Shape.KEY:
        numbers = _keys(cells)
    elif field.shape is Shape.WHOLE:
        numbers = _wholes(cells)
    else:
        words = field.words if field.shape is Shape.WORD else FLAG_WORDS
        lower = cells.str.to_lowercase().str.replace_all("[ -]", "_")
        numbers = lower.replace_strict(words, default=None, return_dtype=pl.UInt64)
    if field.largest and field.largest < 2**64 - 1:
        numbers = _no_larger(numbers, field.largest)
    return _values(cells, numbers.cast(pl.UInt64))


def _values(cells: pl.Series, numbers: pl.Series) -> Values:
    is_given = cells.is_not_null().to_numpy()
    is_read = numbers.is_not_null().to_numpy()
    bits = numbers.fill_null(0).to_numpy().view(np.int64).copy()
    return Values(bits, is_given & is_read, is_given & ~is_read)


def _no_larger(numbers: pl.Series, largest: int) -> pl.Series:
    return pl.select(pl.when(numbers <= largest).then(numbers)).to_series()


def _wholes(cells: pl.Series) -> pl.Series:
    plain = cells.str.replace(_WHOLE_TAIL, "$1")
    return plain.cast(pl.UInt64, strict=False)


def _keys(cells: pl.Series) -> pl.Series:
    lower = cells.str.to_lowercase()
    is_hex = lower.str.starts_with("0x")
    from_hex = lower.str.strip_prefix("0x").str.to_integer(base=16, dtype=pl.UInt64, strict=False)
    unsigned = lower.cast(pl.UInt64, strict=False)
    signed = lower.cast(pl.Int64, strict=False)
    # A 64-bit key that lived in a database or in Spark is a signed number: the same bits.
    bits = pl.Series(signed.fill_null(0).to_numpy().view(np.uint64))
    is_negative = (signed < 0).fill_null(value=False)
    return pl.select(
        pl.when(is_hex).then(from_hex).when(is_negative).then(bits).otherwise(unsigned)
    ).to_series()


def _measures(field: Field, cells: pl.Series) -> Values:
    numbers = cells.cast(pl.Float64, strict=False)
    is_given = cells.is_not_null().to_numpy()
    value = numbers.fill_null(np.nan).to_numpy()
    is_float32 = field.wire_type == FIXED32
    is_read = np.isfinite(value) & (np.abs(value) <= (FLOAT32_MAX if is_float32 else np.inf))
    value = np.where(is_read, value, 0.0)
    if is_float32:
        bits = value.astype(np.float32).view(np.uint32).astype(np.int64)
    else:
        bits = value.view(np.int64).copy()
    return Values(bits, is_given & is_read, is_given & ~is_read)


def _times(cells: pl.Series, timezone: str) -> pl.Series:
    epoch_ms = _wholes(cells)
    parts = cells.str.extract_groups(_ISO_TIME).struct.unnest()
    seconds = parts["seconds"].fill_null(":00")
    fraction = parts["fraction"].fill_null("").str.replace(",", ".", literal=True)
    local = (parts["date"] + "T" + parts["hours"] + seconds + fraction).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", strict=False
    )
    zone = parts["zone"].str.to_uppercase().str.replace(":", "", literal=True)
    zone = zone.replace("Z", "+0000")
    hours = zone.str.slice(1, 2).cast(pl.Int64, strict=False)
    minutes = zone.str.slice(3, 2).replace("", "00").cast(pl.Int64, strict=False)
    sign = pl.select(pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    is_zone = (hours <= _ZONE_HOURS_MAX) & (minutes < 60)
    offset_ms = sign * (hours * 60 + minutes) * MS_PER_MINUTE
    zoned_ms = pl.select(pl.when(is_zone).then(local.dt.epoch("ms") - offset_ms)).to_series()
    if timezone:
        # A local time that a clock change skipped or repeated says no moment: it is refused.
        here = local.dt.replace_time_zone(timezone, ambiguous="null", non_existent="null")
        zoned_ms = pl.select(
            pl.when(zone.is_null()).then(here.dt.epoch("ms")).otherwise(zoned_ms)
        ).to_series()
    # Before 1970 nothing was measured; the cast leaves null.
    return epoch_ms.zip_with(epoch_ms.is_not_null(), zoned_ms.cast(pl.UInt64, strict=False))


def _texts(field: Field, cells: pl.Series) -> Values:
    if field.shape is Shape.COUNTS:
        return _counts(cells)
    limit = PLMN_MAX_BYTES if field.shape is Shape.PLMN else TEXT_MAX_BYTES
    # U+FFFD is what is left of bytes that are not UTF-8.
    is_fine = (cells.str.len_bytes() <= limit) & ~cells.str.contains("�", literal=True)
    is_given = cells.is_not_null().to_numpy()
    is_read = is_fine.fill_null(value=False).to_numpy()
    text = pl.select(pl.when(is_fine).then(cells)).to_series()
    return Values(np.zeros(len(cells), np.int64), is_given & is_read, is_given & ~is_read, text)


def _counts(cells: pl.Series) -> Values:
    """Read "0 3 12": kept as text here; the encoder packs it, for few rows have such a column."""
    is_fine = cells.str.contains(rf"^\d{{1,10}}([ ;]\d{{1,10}}){{0,{COUNTS_MAX - 1}}}$")
    is_given = cells.is_not_null().to_numpy()
    small = [
        fine is True and all(int(count) < 2**32 for count in cell.replace(";", " ").split())
        for cell, fine in zip(cells, is_fine, strict=True)
    ]
    is_read = np.array(small, np.bool_)
    text = pl.select(pl.when(pl.Series(small, dtype=pl.Boolean)).then(cells)).to_series()
    return Values(np.zeros(len(cells), np.int64), is_given & is_read, is_given & ~is_read, text)
