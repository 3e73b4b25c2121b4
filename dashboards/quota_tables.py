"""Tables about weeks of the quota, for people: the history of a SIM, and compliance in both directions."""

from typing import Any

from rich.text import Text

from phusong.dashboards.tables import WIDE_FROM, console, moment, new_table, volume

STATES = {
    "CLOSED": "đã chốt · closed",
    "NO_ENTRY": "không dùng · no entry",
    "NOT_CLOSED": "chưa chốt · not closed",
}


def history_table(document: dict[str, Any]) -> None:
    """Print a line for each day, and one for each adjustment below it."""
    out = console()
    is_wide = out.width >= WIDE_FROM
    table = new_table(f"Sổ dung lượng · Quota ledger, SIM {document['sim']}")
    table.add_column("Ngày\nDay", no_wrap=True)
    table.add_column("Sổ\nLedger", no_wrap=True)
    for heading in ("Đã dùng\nUsed", "Chưa rõ\nIndeterm.", "Miễn cước\nZero-rated"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("4 GiB", no_wrap=True)
    table.add_column("4 GB", no_wrap=True)
    if is_wide:
        table.add_column("Biết từ\nKnown", no_wrap=True)
        table.add_column("Vị trí\nSequence", justify="right", no_wrap=True)
    for day in document["days"]:
        is_known = day["closed"] is not None
        cells: list[str | Text] = [
            day["day"],
            STATES[day["state"]],
            *(volume(day[name]) if is_known else "–" for name in _NAMES),
            *(
                ("đủ · reached" if day[name] else "–")
                for name in ("is_at_quota", "is_at_4_decimal_gigabytes")
            ),
        ]
        if is_wide:
            cells += (
                [moment(day["closed"]["time"]), str(day["closed"]["sequence"])]
                if is_known
                else ["–", "–"]
            )
        table.add_row(*cells)
        for one in day["adjustments"]:
            changed = [
                "",
                f"  {CAUSES[one['cause']]}",
                *(signed(one[name]) for name in _NAMES),
                "",
                "",
            ]
            if is_wide:
                changed += [moment(one["known"]), str(one["sequence"])]
            table.add_row(*changed, style="dim")
    out.print(table)
    known = [day for day in document["days"] if day["closed"] is not None]
    total = sum(day["used_bytes"] for day in known)
    out.print(
        f"{len(known)} of {len(document['days'])} days closed, {volume(total)} used;"
        f" 4 GB read as {document['quota_bytes']:,} and as {document['quota_bytes_decimal']:,} bytes;"
        f" ledger to sequence {document['ledger']['sequence']}"
    )


_NAMES = ("used_bytes", "indeterminate_bytes", "zero_rated_bytes")
CAUSES = {"LATE": "đến muộn · late", "RERATED": "xếp lại cước · rated again"}


def signed(count: int) -> str:
    """Return a change with its sign, in whole bytes where it is small."""
    return "–" if count == 0 else f"{'+' if count > 0 else '−'}{volume(abs(count))}"
