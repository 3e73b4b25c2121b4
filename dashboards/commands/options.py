"""Options that several commands share, and how their values are read."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.exits import USAGE, fail

ICT = timezone(timedelta(hours=7), "ICT")  # Vietnam has no daylight saving
DAY = timedelta(days=1)
DAY_MS = round(DAY.total_seconds()) * 1000


class Format(StrEnum):
    """How a command writes its answer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


DataOption = Annotated[
    Path,
    typer.Option(
        "--data",
        envvar="PHUSONG_DATA",
        help="Folder of the journal, registries and snapshots.",
        show_default=True,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the answer.")]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="Judge events up to this time: 2021-12-31 (the end of that day in Vietnam) or"
        " 2021-12-31T18:00+07:00. Default: now.",
    ),
]
KnownAtOption = Annotated[
    str | None,
    typer.Option("--known-at", help="Use only what had arrived by this time. Default: everything."),
]
DATA_DEFAULT = Path("phusong-data")


def now_ms() -> int:
    """Return the time by this machine's clock."""
    return time.time_ns() // 1_000_000


def time_ms(text: str, option: str) -> int:
    """Return the last millisecond that a date or time names; a time without zone is Vietnam's."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"{option}: {text!r} is no time; expected 2021-12-31 or 2021-12-31T18:00+07:00", USAGE)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ICT)
    if len(text) == len("2021-12-31"):
        moment += DAY - timedelta(milliseconds=1)
    return round(moment.timestamp() * 1000)


def start_ms(text: str, option: str) -> int:
    """Return the first millisecond that a date or time names; a time without zone is Vietnam's."""
    last_ms = time_ms(text, option)
    return last_ms - DAY_MS + 1 if len(text) == len("2021-12-31") else last_ms


def iso_text(moment_ms: int | None) -> str | None:
    """Return a time as reports write it: ISO 8601, UTC, milliseconds."""
    if moment_ms is None:
        return None
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def today_of(moment_ms: int) -> int:
    """Return the Vietnam calendar day of a time, in days since 1970-01-01."""
    return (datetime.fromtimestamp(moment_ms / 1000, tz=ICT).date() - date(1970, 1, 1)).days


def day_number(text: str, option: str = "--day") -> int:
    """Return the days since 1970-01-01 of a calendar day written 2021-10-01."""
    try:
        moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        fail(f"{option}: {text!r} is no day; expected 2021-10-01", USAGE)
    return round(moment.timestamp()) // 86_400


def open_data(data: Path) -> Path:
    """Return the data folder, or end with what to do when there is none."""
    if not (data / "journal").is_dir():
        fail(
            f"{data} holds no journal yet. Start one with `phusong import FILE --format … --data {data}`"
            f" or `phusong serve --data {data}`; `phusong demo` shows it all on made-up data.",
            USAGE,
        )
    return data
