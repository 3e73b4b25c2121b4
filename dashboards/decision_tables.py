"""Decisions as a table for people: what was to be done, how far it got, and what it cost."""

from collections import Counter
from typing import Any

from rich.text import Text

from phusong.dashboards.tables import (
    WIDE_FROM,
    console,
    moment,
    new_table,
    status_text,
    volume,
)

# More rows than this are no longer read; --format csv has them all.
SHOWN_COUNT = 40
ACTIONS = {
    "NOTIFY": "Nhắc · notify",
    "CUT": "Ngắt · cut",
    "THROTTLE": "Giảm tốc · throttle",
    "RESTORE": "Mở lại · restore",
}
# What somebody has to look at comes first.
STATES = ("ENFORCEMENT_FAILED", "PENDING", "SENT", "ACKNOWLEDGED", "SUPERSEDED", "VERIFIED")


def decisions_table(document: dict[str, Any]) -> None:
    """Print what is overdue, then what is under way, then the rest; and how many stand where."""
    out = console()
    is_wide = out.width >= WIDE_FROM
    table = new_table(f"Quyết định · Decisions since {moment(document['since'])}")
    table.add_column("Lúc\nDecided", no_wrap=True)
    table.add_column("Nhà mạng\nOperator", no_wrap=True)
    table.add_column("SIM", no_wrap=True)
    table.add_column("Việc\nAction", no_wrap=True)
    table.add_column("Trạng thái\nState", no_wrap=True)
    table.add_column("Từ\nFor", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("Lần gửi\nSent", justify="right", no_wrap=True)
        table.add_column("Quá mức\nOvershoot", justify="right", no_wrap=True)
        table.add_column("Rò rỉ\nLeaked", justify="right", no_wrap=True)
    lines = document["decisions"]
    order = {state: place for place, state in enumerate(STATES)}
    shown = sorted(lines, key=lambda line: (not line["is_overdue"], order[line["state"]]))
    for line in shown[:SHOWN_COUNT]:
        cells: list[str | Text] = [
            moment(line["decided_time"]),
            line["operator"],
            line["sim"],
            action_text(line),
            state_text(line, is_wide=is_wide),
            age_text(line["age_s"]),
        ]
        if is_wide:
            cells.append(str(line["sent_count"]))
            cells.append(volume(line["overshoot_bytes"]) if line["overshoot_bytes"] else "–")
            cells.append(volume(line["leaked_bytes"]) if line["leaked_bytes"] else "–")
        table.add_row(*cells)
    out.print(table)
    if len(lines) > SHOWN_COUNT:
        out.print(f"{SHOWN_COUNT} of {len(lines):,}, overdue ones first; --format csv has all")
    for state, count in Counter(line["state"] for line in lines).most_common():
        out.print(Text.assemble(f"{count:>8,}  ", status_text(state)))
    if not lines:
        out.print("Nothing was decided: no SIM came to 50 % of its day, or no reading came.")
    if document["overdue_count"]:
        out.print(
            f"Quá hạn · overdue: {document['overdue_count']:,}. Not acknowledged within a minute, or use goes on: is the"
            " enforcement point connected, and does it act? docs/runbooks.md, PhusongCutsOverdue."
        )


def action_text(line: dict[str, Any]) -> str:
    """Return what is to be done, with its threshold or rate."""
    words = ACTIONS[line["action"]]
    if line["action"] == "NOTIFY":
        return f"{words} {line['threshold_percent']} %"
    if line["throttle_bits_per_s"]:
        return f"{words} {line['throttle_bits_per_s'] // 1000:,} kbit/s"
    return words


def state_text(line: dict[str, Any], *, is_wide: bool) -> Text:
    """Return where a decision stands, marked where it should have come further."""
    text = status_text(line["state"], is_wide=is_wide)
    return Text.assemble(text, (" !", "bold")) if line["is_overdue"] else text


def age_text(age_s: int) -> str:
    """Return how long a decision has been in its state, in the largest unit that says enough."""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s // seconds} {unit}"
    return f"{age_s} s"
