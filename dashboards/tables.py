"""Answers as tables for people, on stdout. Colours only on a terminal, and not where NO_COLOR is set."""

import csv
import shutil
import sys
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from math import ceil, floor
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from phusong.dashboards.signs import sign_of

ICT = timezone(timedelta(hours=7), "ICT")
# A table piped into a file must not be folded at 80 columns.
WIDTH_PIPED = 200
# From so many columns on there is room for both languages and every figure.
WIDE_FROM = 140
# More rows than this are no longer read; --format csv has them all.
SHOWN_SIM_COUNT = 40


def console() -> Console:
    """Return the console that answers are written to."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH_PIPED
    return Console(file=sys.stdout, width=width, highlight=False)


def new_table(title: str) -> Table:
    """Return an empty table in the one style there is: few lines, so that it fits and prints."""
    return Table(
        title=title,
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )


def status_text(status: str, *, is_wide: bool = True) -> Text:
    """Return a status as shape, colour and words, in both languages where there is room."""
    sign = sign_of(status)
    words = f"{sign.vietnamese} · {status}" if is_wide else sign.vietnamese
    return Text(f"{sign.shape} {words}", style=sign.colour)


def moment(iso: str | None) -> str:
    """Return a time as people in Vietnam write it."""
    if iso is None:
        return "–"
    return datetime.fromisoformat(iso).astimezone(ICT).strftime("%d/%m/%Y %H:%M")


def day_text(iso: str | None) -> str:
    """Return a day as people in Vietnam write it."""
    return "–" if iso is None else date.fromisoformat(iso).strftime("%d/%m/%Y")


def ratio(value: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if value is None else f"{100 * value:.1f} %"


def coverage_table(document: dict[str, Any]) -> None:
    """Print one row a site, operator and technology, and how many stand at each verdict."""
    out = console()
    is_wide = out.width >= WIDE_FROM
    table = new_table("Phủ sóng · Coverage")
    table.add_column("Điểm\nSite", no_wrap=True)
    table.add_column("Tên\nName", overflow="fold")  # gives way first
    table.add_column("Nhà mạng\nOperator", no_wrap=True)
    table.add_column("Kết luận\nVerdict", no_wrap=True)
    table.add_column("Tỉ lệ\nShare", justify="right", no_wrap=True)
    table.add_column("Cận 95 %\nBounds", justify="right", no_wrap=True)
    if is_wide:
        table.add_column("Trung vị\nMedian dBm", justify="right", no_wrap=True)
        table.add_column("Ô × lúc × máy\nBins", justify="right", no_wrap=True)
        table.add_column("Lần cuối\nLast seen", justify="right", no_wrap=True)
        table.add_column("Chứng minh từ\nFirst verified", justify="right", no_wrap=True)
    for row in document["sites"]:
        cells: list[str | Text] = [
            row["site_code"],
            row["name"],
            f"{row['operator']} {row['technology']}",
            verdict_text(row, is_wide=is_wide),
            ratio(row["share"]),
            bounds_text(row),
        ]
        if is_wide:
            median = row["median_level_dbm"]
            cells.append("–" if median is None else str(median))
            cells.append(f"{row['counts']['bins']:,}")
            cells.append(moment(row["last_observed"]))
            cells.append(day_text(row["milestones"]["first_verified"]))
        table.add_row(*cells)
    out.print(table)
    explain_one(out, document)
    verdicts = Counter(row["verdict"] for row in document["sites"])
    for verdict, count in verdicts.most_common():
        out.print(Text.assemble(f"{count:>6}  ", status_text(verdict)))
    disputed_count = sum(row["overlay"] is not None for row in document["sites"])
    if disputed_count:
        out.print(
            Text.assemble(f"{disputed_count:>6}  of these · trong đó ", status_text("DISPUTED"))
        )
    by_any = Counter(site["verdict"] for site in document["any_operator"])
    if by_any:
        words = ", ".join(f"{count:,} {verdict}" for verdict, count in by_any.most_common())
        out.print(f"theo bất kỳ nhà mạng nào · by any operator: {words}")
    policy = document["policy"]
    out.print(
        f"as of {moment(document['as_of'])}, known at {moment(document['known_at'])} (giờ Việt Nam), policy"
        f" {policy['id']} {policy['digest'][:12]}, journal sequence {document['journal']['sequence']}"
    )
    if not document["sites"]:
        out.print("No sites are registered: phusong registry add sites FILE.csv")


def verdict_text(row: dict[str, Any], *, is_wide: bool) -> Text:
    """Return a verdict with what is laid over it."""
    text = status_text(row["verdict"], is_wide=is_wide)
    if row["overlay"] is not None:
        text = Text.assemble(text, "\n", status_text(row["overlay"], is_wide=is_wide))
    return text


def bounds_text(row: dict[str, Any]) -> str:
    """Return both bounds in percent, rounded outwards: rounding never makes a bound pass."""
    if row["lower_bound"] is None:
        return "–"
    lower, upper = floor(1000 * row["lower_bound"]) / 10, ceil(1000 * row["upper_bound"]) / 10
    return f"{lower:.1f}–{upper:.1f}"


def explain_one(out: Console, document: dict[str, Any]) -> None:
    """Where one site was asked for, say why and what is missing."""
    if len({row["site_code"] for row in document["sites"]}) != 1:
        return
    for row in document["sites"]:
        out.print(
            Text.assemble((f"{row['operator']} {row['technology']}: ", "bold"), row["reason"])
        )
        if len(row["parts"]) > 1:
            for part in row["parts"]:
                out.print(Text.assemble(f"  {part['part']}: ", part_text(part)))
        for found in row["tests"]:
            out.print(f"  {test_text(found)}")
        out.print(f"  {milestones_text(row['milestones'])}")
        for missing in row["missing"]:
            out.print(f"  ○ còn thiếu · missing: {missing}")
        for mark in row["disputes"]:
            due = mark["answer_due"]
            told = "" if due is None else f", hạn trả lời · answer due {moment(due)}"
            out.print(Text.assemble(f"  {mark['dispute']}: ", status_text(mark["state"]), told))
        for at in row["floors"]:
            told = "mức khác · tier" if at["offset_db"] is None else f"{at['offset_db']:+d} dB"
            out.print(
                f"  nếu ngưỡng là · were the floor {at['floor_dbm']} dBm ({told}):"
                f" {ratio(at['share'])} ({bounds_text(at)})"
            )


def part_text(part: dict[str, Any]) -> Text:
    """Return how a part stands, and how much of it was surveyed."""
    surveyed = f" {part['surveyed_count']:,}/{part['place_count']:,} ô · cells"
    return Text.assemble(
        status_text(part["verdict"]), surveyed, f", {ratio(part['share'])} ({bounds_text(part)})"
    )


TEST_NAMES = {
    "download": "tải xuống · download",
    "latency": "độ trễ · latency",
    "access": "truy nhập thành công · access succeeded",
}
TEST_UNITS = {"download": "bit/s", "latency": "ms", "access": ""}
TEST_STANDINGS = {
    "MET": "đạt yêu cầu · as asked",
    "NOT_MET": "không đạt · not as asked",
    "OPEN": "chưa đủ dữ liệu · not enough",
    "NOT_ASKED": "tham khảo · for information",
}


def test_text(found: dict[str, Any]) -> str:
    """Return what tests of one measure found."""
    unit = TEST_UNITS[found["measure"]]
    text = f"{TEST_NAMES[found['measure']]}: {ratio(found['share'])} ({bounds_text(found)})"
    if found["bound"] is not None:
        text += f", {'≥' if found['measure'] == 'download' else '≤'} {found['bound']:,} {unit}"
    if found["median"] is not None:
        text += f", trung vị · median {found['median']:,} {unit}"
    counts = f"{found['sample_count']:,} mẫu · samples, {found['place_count']:,} ô · places"
    return f"{text}, {counts}: {TEST_STANDINGS[found['standing']]}"


def milestones_text(found: dict[str, Any]) -> str:
    """Return the dates of a row, and what its base stations' telemetry lacks."""
    dates = (
        ("khai phát sóng · claimed on air", moment(found["claimed_on_air"])),
        ("tín hiệu trạm đầu tiên · first telemetry", moment(found["first_telemetry"])),
        ("chứng minh lần đầu · first verified", day_text(found["first_verified"])),
    )
    text = "; ".join(f"{name} {date}" for name, date in dates)
    if found["heartbeat_gap_count"]:
        hours = found["heartbeat_gap_ms"] / 3_600_000
        text += f"; trạm im lặng · stations silent {found['heartbeat_gap_count']}× ({hours:,.1f} h)"
    if found["lost_batch_count"]:
        text += f"; gói tin mất · batches lost {found['lost_batch_count']:,}"
    return text


def volume(count: int) -> str:
    """Return bytes with a unit that cannot be mistaken: GiB is 2³⁰. Small volumes are shown whole."""
    if count < 2**20:
        return f"{count:,} B"
    if count < 2**30:
        return f"{count / 2**20:.1f} MiB"
    return f"{count / 2**30:.3f} GiB"


def quota_table(document: dict[str, Any]) -> None:
    """Print the SIMs that used most, and the sums that must reconcile."""
    out = console()
    quota = document["quota_bytes"]
    title = f"Dung lượng miễn phí · Free volume, {document['day']}: {quota / 2**30:g} GiB, resets 24:00 ICT"
    is_wide = out.width >= WIDE_FROM
    table = new_table(title)
    table.add_column("SIM", no_wrap=True)
    for heading in ("Đã dùng\nUsed", "Miễn cước\nZero-rated", "Chưa rõ\nIndeterm."):
        table.add_column(heading, justify="right", no_wrap=True)
    if is_wide:
        table.add_column("%\nof quota", justify="right", no_wrap=True)
    table.add_column("Trạng thái\nState", no_wrap=True)
    if is_wide:
        table.add_column("Chạm 100 %\nCrossed", no_wrap=True)
    sims = sorted(document["sims"], key=lambda row: (-row["used_bytes"], row["sim"]))
    for row in sims[:SHOWN_SIM_COUNT]:
        cells: list[str | Text] = [
            row["sim"],
            volume(row["used_bytes"]),
            volume(row["zero_rated_bytes"]),
            volume(row["indeterminate_bytes"]),
        ]
        if is_wide:
            cells.append(f"{100 * row['used_bytes'] / quota:.1f}")
        cells.append(status_text(row["state"], is_wide=is_wide))
        if is_wide:
            cells.append(moment(row["crossed_time"]))
        table.add_row(*cells)
    out.print(table)
    if len(sims) > SHOWN_SIM_COUNT:
        out.print(f"the {SHOWN_SIM_COUNT} that used most of {len(sims):,}; --format csv has all")
    for state, count in Counter(row["state"] for row in sims).most_common():
        out.print(Text.assemble(f"{count:>8,}  ", status_text(state)))
    totals = document["totals"]
    out.print(
        f"4 GB read as {quota:,} bytes: {totals['sims_at_quota']:,} SIMs reach it; read as 4,000,000,000:"
        f" {totals['sims_at_4_decimal_gigabytes']:,}"
    )
    parts = " + ".join(
        f"{totals[name]:,} {name}"
        for name in ("counted", "duplicate", "stale", "rejected", "quarantined")
    )
    out.print(f"{totals['received']:,} readings received = {parts}")


def quarantine_table(shown: list[dict[str, Any]], total: Counter[str]) -> None:
    """Print what is kept but not counted."""
    out = console()
    if not total:
        out.print("Nothing is quarantined: every payload and row in the journal is counted.")
        return
    is_wide = out.width >= WIDE_FROM
    table = new_table("Cách ly · Quarantine")
    table.add_column("Vị trí\nSequence", no_wrap=True)
    if is_wide:
        table.add_column("Nhận\nReceived", no_wrap=True)
    table.add_column("Nguồn\nOperator/source", overflow="fold")
    for heading in ("Cửa\nDoor", "Loại\nKind", "Dòng\nRow", "Lý do\nReason"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Tệp, cần gì\nFile, expected", overflow="fold")
    for entry in shown:
        table.add_row(
            f"{entry['sequence']}:{entry['envelope']}",
            *([moment(entry["received_time"])] if is_wide else []),
            sender_text(entry),
            entry["transport"],
            entry["kind"],
            str(entry["row"]),
            f"{entry['reason']}\n{entry['ruling']}".strip(),
            f"{entry['file']} {entry['detail']}".strip(),
        )
    out.print(table)
    for reason, count in total.most_common():
        out.print(f"{count:>8,}  {reason}")
    if len(shown) < sum(total.values()):
        out.print(f"{len(shown):,} of {sum(total.values()):,} shown; --limit 0 shows all")


def sender_text(entry: dict[str, Any]) -> str:
    """Return whose data a quarantined payload says it is, and who sent it where that is somebody else."""
    source = f"{entry['operator']}/{entry['source']}"
    principal = entry["principal"]
    return source if principal in ("", source) else f"{source} by {principal}"


def quarantine_csv(shown: list[dict[str, Any]], total: Counter[str]) -> None:  # noqa: ARG001
    """Write what is kept but not counted, one line each."""
    sys.stdout.write("\ufeff")
    names = list(shown[0]) if shown else ["sequence", "envelope", "reason"]
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(shown)
