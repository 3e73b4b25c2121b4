"""Rulings on readings that were set aside, as a table for people and as CSV."""

import csv
import sys
from typing import Any

from rich.text import Text

from phusong.dashboards.tables import console, moment, new_table, status_text

COLUMNS = (
    *("ruling", "act", "time", "name", "role", "text", "selection", "reading_count"),
    "holding_count",
)


def rulings_table(document: dict[str, Any]) -> None:
    """Print one row a ruling."""
    out = console()
    table = new_table("Quyết định về số đo bị loại · Rulings")
    table.add_column("Số\nRuling", no_wrap=True)
    table.add_column("Quyết định\nAct", no_wrap=True)
    table.add_column("Lúc\nTime", no_wrap=True)
    table.add_column("Người quyết định\nBy", overflow="fold")
    table.add_column("Lý do\nWhy", overflow="fold")
    table.add_column("Chọn\nSelection", overflow="fold")
    table.add_column("Số đo\nReadings", justify="right", no_wrap=True)
    table.add_column("Còn hiệu lực\nHolding", justify="right", no_wrap=True)
    for row in document["rulings"]:
        table.add_row(
            row["ruling"],
            status_text(row["act"]),
            moment(row["time"]),
            Text(f"{row['name']}, {row['role']}"),
            Text(row["text"]),
            Text(row["selection"]),
            f"{row['reading_count']:,}",
            f"{row['holding_count']:,}",
        )
    if document["rulings"]:
        out.print(table)
    else:
        out.print("Chưa có quyết định · No rulings: phusong ruling release --help")
    if document["unreadable_count"]:
        out.print(f"{document['unreadable_count']} entries hold no ruling and have no effect")
    out.print(f"known at {moment(document['known_at'])} (giờ Việt Nam)")


def rulings_csv(document: dict[str, Any]) -> None:
    """Write one line a ruling; the byte order mark makes Excel read Vietnamese right."""
    sys.stdout.write("\ufeff")
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(document["rulings"])
