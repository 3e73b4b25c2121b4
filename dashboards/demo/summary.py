"""The demo's tables: what was found, what was refused, and whether it agrees with the truth."""

from collections import Counter
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from phusong.dashboards.demo.comparison import TECHNOLOGY, Comparison
from phusong.dashboards.demo.subscribers import OTHER_QUOTA_BYTES
from phusong.dashboards.signs import sign_of

VERDICTS = ("COVERED", "NOT_COVERED", "CONFLICTED", "STALE", "INSUFFICIENT", "UNTESTED")
ALWAYS_SHOWN = ("COVERED", "NOT_COVERED", "INSUFFICIENT", "UNTESTED")
GIB = 2**30
SHARES_OF_RECEIVED = ("counted", "duplicate", "stale", "rejected", "quarantined")

AGREES, DISAGREES = sign_of("COVERED"), sign_of("NOT_COVERED")
# A broken build may disagree everywhere; the first ones say enough.
SHOWN_DISAGREEMENT_COUNT = 20


def print_coverage(out: Console, document: dict[str, Any]) -> None:
    """Print how many sites stand at each verdict, by list and operator."""
    counts = Counter(
        (row["list"], row["operator"], row["verdict"])
        for row in document["sites"]
        if row["technology"] == TECHNOLOGY
    )
    seen = {verdict for _, _, verdict in counts}
    shown = [verdict for verdict in VERDICTS if verdict in ALWAYS_SHOWN or verdict in seen]
    table = _table(f"Phủ sóng {TECHNOLOGY} · {TECHNOLOGY} coverage (điểm · sites)")
    table.add_column("List", no_wrap=True)
    table.add_column("Nhà mạng\nOperator", no_wrap=True)
    for verdict in shown:
        sign = sign_of(verdict)
        heading = Text(f"{sign.shape} {sign.vietnamese}\n{sign.english}", style=sign.colour)
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("Tổng\nTotal", justify="right")
    keys = sorted({key[:2] for key in counts}, key=lambda key: (int(key[0]), key[1]))
    for list_slug, operator in keys:
        row = [counts[list_slug, operator, verdict] for verdict in shown]
        table.add_row(list_slug, operator, *(f"{count:,}" for count in row), f"{sum(row):,}")
    totals = [sum(counts[*key, verdict] for key in keys) for verdict in shown]
    table.add_section()
    table.add_row("", "Tổng · Total", *(f"{n:,}" for n in totals), f"{sum(totals):,}", style="bold")
    out.print(table)


def print_quota(out: Console, documents: list[dict[str, Any]]) -> None:
    """Print each day's volumes, and how many SIMs exhausted either reading of "4Gb"."""
    quota = documents[0]["quota_bytes"]
    table = _table(
        f"Dung lượng · Free volume: {quota / GIB:g} GiB = {quota:,} bytes a day, to 24:00 (UTC+7)"
    )
    table.add_column("Ngày\nDay")
    exhausted = sign_of("EXHAUSTED")
    hit = Text(
        f"{exhausted.shape} {exhausted.vietnamese}\n{exhausted.english}", style=exhausted.colour
    )
    for heading in ("SIM\nSIMs", "Đã dùng\nUsed GiB", "Miễn phí\nZero-rated GiB"):
        table.add_column(heading, justify="right")
    table.add_column(hit, justify="right")
    table.add_column("Từ 4·10⁹\nbetween", justify="right")
    for document in documents:
        sims = document["sims"]
        table.add_row(
            document["day"],
            f"{len(sims):,}",
            f"{sum(row['used_bytes'] for row in sims) / GIB:,.1f}",
            f"{sum(row['zero_rated_bytes'] for row in sims) / GIB:,.1f}",
            f"{sum(row['state'] == 'EXHAUSTED' for row in sims):,}",
            f"{sum(OTHER_QUOTA_BYTES <= row['used_bytes'] < quota for row in sims):,}",
        )
    out.print(table)
    for document in documents:
        totals = document["totals"]
        parts = " + ".join(f"{totals[name]:,} {name}" for name in SHARES_OF_RECEIVED)
        out.print(f"{document['day']}: {totals['received']:,} số liệu · readings = {parts}")


def print_refusals(out: Console, stat: dict[str, Any]) -> None:
    """Print what was refused and why, most frequent first."""
    table = _table("Từ chối · Refused")
    table.add_column("Lý do · Reason")
    table.add_column("Số lượng · Count", justify="right")
    for reason, count in sorted(stat["refused"].items(), key=lambda item: (-item[1], item[0])):
        table.add_row(reason, f"{count:,}")
    out.print(table)
    out.print(
        "what is refused is kept in the journal and never counted: `phusong journal quarantine`"
    )
    out.print(
        f"{stat['received']:,} nhận · received = {stat['taken']:,} taken + {stat['duplicate']:,} recognised as"
        f" sent before + {sum(stat['refused'].values()):,} refused, from {stat['sources']:,} sources"
    )


def print_comparison(out: Console, comparison: Comparison) -> None:
    """Print whether what was found agrees with the truth, and each disagreement."""
    agrees = not comparison.disagreements
    sign = AGREES if agrees else DISAGREES
    counts = f"{comparison.agreed_count:,} of {comparison.compared_count:,} {comparison.subject}"
    undecided = ""
    if comparison.undecided_count:
        undecided = f" ({comparison.undecided_count:,} too near the border to say were left out)"
    words = "khớp · agrees" if agrees else "không khớp · DISAGREES"
    line = f"{sign.shape} {words} with the truth: {counts}{undecided}"
    out.print(Text(line, style=sign.colour))
    for disagreement in comparison.disagreements[:SHOWN_DISAGREEMENT_COUNT]:
        out.print(Text(f"    {disagreement}"))
    hidden = len(comparison.disagreements) - SHOWN_DISAGREEMENT_COUNT
    if hidden > 0:
        out.print(f"    and {hidden:,} more")


def _table(title: str) -> Table:
    # Few lines, so that the widest table fits a terminal of 80 columns.
    return Table(
        title=title,
        title_style="bold",
        title_justify="left",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
