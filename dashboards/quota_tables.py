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


FINDINGS = {
    "EARLY_CUT": "cắt sớm · cut early",
    "ZERO_RATED_CHARGED": "tính cước nền tảng miễn phí · free platform charged",
    "NOT_PROVISIONED": "chưa cấp · not provisioned",
    "NO_COVERAGE": "không có sóng · no coverage",
    "OVER_PREDICTED": "vượt quá dự tính · over what the interval explains",
    "USE_AFTER_WINDOW": "dùng ngoài hạn · used outside its months",
    "UNVERIFIED_CUT": "chưa chứng minh đã cắt · cut not proven",
}


def compliance_table(document: dict[str, Any]) -> None:
    """Print a day in both directions, a line an operator and province, what was found below."""
    out = console()
    rows = document["rows"]
    is_closed = "đã chốt · closed" if document["is_closed"] else "chưa chốt · not closed"
    could = new_table(f"Dùng được · It could be used, {document['day']} ({is_closed})")
    stopped = new_table("Đã dừng · It stopped")
    for table in (could, stopped):
        table.add_column("Nhà mạng\nOperator", no_wrap=True)
        table.add_column("Tỉnh\nProv.", no_wrap=True)
    for heading in _COULD:
        could.add_column(heading, justify="right", no_wrap=True)
    for heading in _STOPPED:
        stopped.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        names = (row["operator"], row["province_code"] or "–")
        sites = f"{row['sites_covered']}/{row['sites_listed']}" if row["sites_listed"] else "–"
        could.add_row(
            *names,
            *(f"{row[name]:,}" for name in ("entitled_sims", "heard_sims", "early_cuts")),
            f"{row['denied_s']:,} s",
            volume(row["zero_rated_charged_bytes"]),
            *(f"{row[name]:,}" for name in ("not_provisioned_sims", "telemetry_gap_sims")),
            sites,
        )
        over, predicted = row["overshoot_bytes"], row["predicted_overshoot_bytes"]
        waits = [row["latency_ms"][name]["p99"] for name in _TO_SENT]
        stopped.add_row(
            *names,
            f"{row['sims_over']:,}",
            "–" if row["over_permille"] is None else str(row["over_permille"]),
            *("–" if over[part] is None else volume(over[part]) for part in ("p95", "max")),
            "–" if predicted is None else volume(predicted),
            f"{row['cuts']:,}",
            f"{row['unverified_cuts']:,}",
            "–" if None in waits else f"{sum(waits):,}",
            volume(row["after_window_bytes"]),
        )
    out.print(could)
    out.print(stopped)
    for row in rows:
        for finding in row["findings"]:
            where = f"{row['operator']} {row['province_code']}".strip()
            out.print(Text(f"▲ {where}: {FINDINGS[finding]}", style="red"))
    totals = document["totals"]
    parts = ("counted", "duplicate", "stale", "rejected", "quarantined")
    sums = " + ".join(f"{totals[name]:,} {name}" for name in parts)
    out.print(f"{totals['received']:,} số liệu · readings = {sums}")
    out.print(
        f"4 GB = {document['quota_bytes']:,} bytes; read as {document['quota_bytes_decimal']:,},"
        f" {totals['sims_at_4_decimal_gigabytes']:,} SIMs reach it instead of {totals['sims_at_quota']:,}"
    )


_COULD = (
    *("Được hưởng\nEntitled", "Nghe thấy\nHeard", "Cắt sớm\nEarly cuts", "Bị chặn\nDenied"),
    *("Tính sai\nCharged", "Chưa cấp\nNot prov.", "Mất tin\nGaps", "Điểm có sóng\nSites covered"),
)
_STOPPED = (
    *("Vượt\nOver", "‰", "Vượt p95\nOver p95", "Vượt tối đa\nOver max", "Dự tính\nPredicted"),
    *("Cắt\nCuts", "Chưa rõ\nUnproven", "p99 ms\ncross→sent", "Ngoài hạn\nOutside"),
)
_TO_SENT = ("crossed_to_arrived", "arrived_to_decided", "decided_to_sent")
