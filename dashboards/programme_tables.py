"""The standing of a programme as tables for people: obligations, what is unproven, money, provinces."""

from datetime import date
from typing import Any

from rich.console import Console
from rich.text import Text

from phusong.dashboards.tables import WIDE_FROM, console, moment, new_table, status_text

MILLIARD = 10**9
NOTHING = "–"


def programme_tables(document: dict[str, Any]) -> None:
    """Print how every obligation stands, then what is unproven, then the provinces."""
    out = console()
    head = document["programme"]
    out.print(
        f"[bold]{head['title'] or head['id']}[/bold] · {head['title_en'] or head['id']} ({head['version']})"
    )
    out.print(f"tính đến · as of {moment(document['as_of'])}")
    _obligations(out, document["obligations"])
    _unproven(out, document["obligations"])
    _money(out, document["money"])
    _provinces(out, document["provinces"])


def _obligations(out: Console, rows: list[dict[str, Any]]) -> None:
    is_wide = out.width >= WIDE_FROM
    table = new_table("Cam kết · Obligations")
    table.add_column("Cam kết\nObligation", overflow="fold")
    table.add_column("Chỉ tiêu\nTarget", justify="right", no_wrap=True)
    table.add_column("Hạn\nDeadline", no_wrap=True)
    table.add_column("Đã khai\nStated", justify="right", no_wrap=True)
    table.add_column("Trạm khai\nClaimed", justify="right", no_wrap=True)
    table.add_column("Đã chứng minh\nVerified", justify="right", no_wrap=True)
    table.add_column("đúng hạn\nin time", justify="right", no_wrap=True)
    table.add_column("Bác bỏ\nRefuted", justify="right", no_wrap=True)
    table.add_column("Tình trạng\nStanding", no_wrap=True)
    for row in rows:
        title = row["title"] or row["id"]
        if is_wide and row["title_en"]:
            title = f"{title}\n{row['title_en']}"
        table.add_row(
            title
            if row["is_source_verified"]
            else f"{title} (nguồn chưa kiểm · source unverified)",
            number(row["target_count"]),
            day(row["deadline"]),
            number(row["stated_count"]),
            number(row["claimed_count"]),
            verified(row),
            number(row["verified_by_deadline_count"]),
            number(row["refuted_count"]),
            status_text(row["standing"], is_wide=is_wide),
        )
    out.print(table)


def verified(row: dict[str, Any]) -> str:
    """Return a verified count with its lower bound, where verdicts may err."""
    count, bound = row["verified_count"], row["verified_lower_bound"]
    return number(count) if bound is None else f"{number(count)} (≥ {number(bound)})"


def _unproven(out: Console, rows: list[dict[str, Any]]) -> None:
    out.print(Text("Chưa chứng minh được · Unproven", style="bold"))
    for row in rows:
        for words in row["unproven"]:
            out.print(Text(f"  {row['id']}: {words}"))
    out.print()


def _money(out: Console, rows: list[dict[str, Any]]) -> None:
    if rows:
        sums = ", ".join(
            f"{row['title'] or row['id']} {number(row['amount_vnd'] // MILLIARD)}" for row in rows
        )
        out.print(f"Kinh phí (tỉ đồng) · Money (bn VND): {sums}\n")


def _provinces(out: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    table = new_table("Theo tỉnh · By province")
    table.add_column("Tỉnh\nProvince")
    table.add_column("Danh sách\nList")
    table.add_column("Điểm\nSites", justify="right")
    table.add_column("Đạt\nVerified", justify="right")
    table.add_column("Không đạt\nRefuted", justify="right")
    table.add_column("Chưa rõ\nUnproven", justify="right")
    for row in rows:
        decided = row["verified_count"] + row["refuted_count"]
        table.add_row(
            f"{row['province_code']} {row['name']}",
            row["list"],
            number(row["listed_count"]),
            number(row["verified_count"]),
            number(row["refuted_count"]),
            number(row["listed_count"] - decided),
        )
    out.print(table)


def number(count: int | None) -> str:
    """Return a count, a dash where nothing counts."""
    return NOTHING if count is None else f"{count:,}"


def day(iso: str | None) -> str:
    """Return a day as people in Vietnam write it."""
    return NOTHING if iso is None else date.fromisoformat(iso).strftime("%d/%m/%Y")
