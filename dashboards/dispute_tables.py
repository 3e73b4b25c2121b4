"""Disputes as tables for people: what is disputed, who said what, and both sides before the same judge."""

from typing import Any

from rich.console import Console
from rich.text import Text

from phusong.dashboards.tables import (
    bounds_text,
    console,
    moment,
    new_table,
    ratio,
    status_text,
)

ACTS = {
    "FILE": "khiếu nại · filed",
    "REBUT": "phản bác · rebutted",
    "CONCEDE": "thừa nhận · conceded",
    "WITHDRAW": "rút · withdrew",
    "DECIDE": "quyết định · decided",
}
SIDES = {"filer": "bên khiếu nại · filer", "respondent": "bên bị khiếu nại · other side"}
SIDE_ROWS = {
    "whole": "mọi số đo · all readings",
    "filer": "của bên khiếu nại · the filer's",
    "respondent": "của bên phản bác · the rebutter's",
}
NOTHING = "–"


def disputes_table(document: dict[str, Any]) -> None:
    """Print one row a dispute, then the steps that had no effect."""
    out = console()
    table = new_table("Tranh chấp · Disputes")
    table.add_column("Số\nDispute", no_wrap=True)
    table.add_column("Điểm\nSite", no_wrap=True)
    table.add_column("Nhà mạng\nOperator", no_wrap=True)
    table.add_column("Kết luận bị khiếu nại\nDisputed verdict", no_wrap=True)
    table.add_column("tính đến\nas of", no_wrap=True)
    table.add_column("Bên khiếu nại\nFiler", overflow="fold")
    table.add_column("Tình trạng\nState", no_wrap=True)
    table.add_column("Hạn trả lời\nAnswer due", no_wrap=True)
    table.add_column("Kết thúc\nEnded, for", overflow="fold")
    for row in document["disputes"]:
        ended = row["ended_time"]
        table.add_row(
            row["dispute"],
            row["site_code"],
            f"{row['operator']} {row['technology']}",
            status_text(row["disputed_verdict"]),
            moment(row["as_of"]),
            Text(f"{row['steps'][0]['name']}, {row['steps'][0]['role']}"),
            status_text(row["state"]),
            moment(row["answer_due"]) if row["state"] == "OPEN" else NOTHING,
            NOTHING if ended is None else f"{moment(ended)}, {SIDES[row['in_favour_of']]}",
        )
    if document["disputes"]:
        out.print(table)
    else:
        out.print("Không có tranh chấp · No disputes: phusong dispute file --help")
    if document["refused"]:
        out.print(Text("Không có hiệu lực · Without effect", style="bold"))
    for row in document["refused"]:
        place = f"{row['sequence']}.{row['envelope']}"
        out.print(Text(f"  {place} {row['act']} {row['refusal']}: {row['reason']}"))
    out.print(f"known at {moment(document['known_at'])} (giờ Việt Nam)")


def dispute_page(document: dict[str, Any]) -> None:
    """Print one dispute: what it is about, its steps, and the verdict of each side's readings."""
    out = console()
    row = document["dispute"]
    out.print(
        Text.assemble(
            (f"Tranh chấp · Dispute {row['dispute']}  ", "bold"), status_text(row["state"])
        )
    )
    out.print(Text(row["standing"]))
    out.print(
        Text.assemble(
            f"{row['site_code']} {row['operator']} {row['technology']}, as of {moment(row['as_of'])}: ",
            status_text(row["disputed_verdict"]),
        )
    )
    for step in row["steps"]:
        _step(out, step)
    _sides(out, document)
    out.print(
        f"as of {moment(document['as_of'])}, known at {moment(document['known_at'])} (giờ Việt Nam), policy"
        f" {document['policy']['id']} {document['policy']['digest'][:12]}, limits {row['limits']}"
    )


def _step(out: Console, step: dict[str, Any]) -> None:
    said = f"{moment(step['time'])}  {ACTS[step['act']]}: {step['name']}, {step['role']}"
    if "in_favour_of" in step:
        said += f", for {SIDES[step['in_favour_of']]}"
    out.print(Text(said, style="bold"))
    out.print(Text(f"  {step['text']}"))
    for selection in step["evidence"]:
        named = ", ".join(f"{name} {value}" for name, value in selection.items())
        out.print(Text(f"  ○ bằng chứng · evidence: {named}"))


def _sides(out: Console, document: dict[str, Any]) -> None:
    table = new_table("Cùng một cách tính · The same judge for both")
    table.add_column("Số đo\nReadings")
    table.add_column("Kết luận\nVerdict", no_wrap=True)
    table.add_column("Tỉ lệ\nShare", justify="right", no_wrap=True)
    table.add_column("Cận 95 %\nBounds", justify="right", no_wrap=True)
    table.add_column("Số đo\nCount", justify="right", no_wrap=True)
    table.add_column("Máy\nDevices", justify="right", no_wrap=True)
    table.add_column("Ngày\nDays", justify="right", no_wrap=True)
    table.add_column("Lần cuối\nLast seen", justify="right", no_wrap=True)
    found = document["sides"]
    for side, words in SIDE_ROWS.items():
        row = found[side]
        if row is None:
            table.add_row(words, *[NOTHING] * 7)
            continue
        table.add_row(
            words,
            status_text(row["verdict"]),
            ratio(row["share"]),
            bounds_text(row),
            f"{row['counts']['raw']:,}",
            str(row["counts"]["devices"]),
            str(row["counts"]["days"]),
            moment(row["last_observed"]),
        )
    out.print(table)
    for side, words in SIDE_ROWS.items():
        if found[side] is not None:
            out.print(Text.assemble((f"{words}: ", "bold"), found[side]["reason"]))
            for missing in found[side]["missing"]:
                out.print(Text(f"  ○ còn thiếu · missing: {missing}"))
