"""Disputes as reports write them; documented in docs/disputes.md."""

import csv
import sys
from typing import Any

from phusong.dashboards.commands.options import iso_text
from phusong.verifier.disputes.records import Act, Dispute, RefusedStep, Selection, Step
from phusong.verifier.disputes.wording import standing_text

CSV_COLUMNS = (
    *("dispute", "state", "in_favour_of", "site_code", "operator", "technology", "as_of"),
    *("disputed_verdict", "filed_time", "filed_by", "answer_due", "ended_time", "text"),
)


def dispute_record(dispute: Dispute) -> dict[str, Any]:
    """Return everything about a dispute, its steps in order."""
    verdict = dispute.verdict
    side = dispute.in_favour_of
    return {
        "dispute": dispute.name,
        "state": dispute.state.value,
        "standing": standing_text(dispute),
        "in_favour_of": None if side is None else side.name.lower(),
        "site_code": verdict.site_code,
        "operator": verdict.operator,
        "technology": verdict.technology,
        "as_of": iso_text(verdict.as_of_ms),
        "disputed_verdict": verdict.verdict,
        "policy_digest": verdict.policy_digest,
        "limits": dispute.limits_id,
        "answer_due": iso_text(dispute.rebuttal_due_ms),
        "ended_time": iso_text(dispute.ended_ms),
        "steps": [step_record(step) for step in dispute.steps],
    }


def step_record(step: Step) -> dict[str, Any]:
    """Return what somebody said, and where it stands in the journal."""
    record: dict[str, Any] = {
        "act": step.act.name,
        "sequence": step.sequence,
        "envelope": step.envelope,
        "time": iso_text(step.time_ms),
        "name": step.name,
        "role": step.role,
        "text": step.text,
        "evidence": [selection_record(selection) for selection in step.evidence],
    }
    if step.act is Act.DECIDE and step.in_favour_of is not None:
        record["in_favour_of"] = step.in_favour_of.name.lower()
    return record


def selection_record(selection: Selection) -> dict[str, Any]:
    """Return what a selection says; what it leaves open is left out."""
    record: dict[str, Any] = {
        "operator": selection.operator,
        "source": selection.source,
        "device_key": str(selection.device_key) if selection.device_key else "",
        "from": iso_text(selection.from_time_ms) if selection.from_time_ms else "",
        "until": iso_text(selection.until_time_ms) if selection.until_time_ms else "",
        "file": selection.file,
        "file_sha256": selection.file_sha256,
    }
    return {name: value for name, value in record.items() if value}


def refused_record(refused: RefusedStep, words: str) -> dict[str, Any]:
    """Return a step that had no effect, and why."""
    step = refused.step
    return {
        "sequence": refused.sequence,
        "envelope": refused.envelope,
        "act": "" if step is None else step.act.name,
        "dispute": refused.dispute or ("" if step is None else step.dispute),
        "time": None if step is None else iso_text(step.time_ms),
        "name": "" if step is None else step.name,
        "refusal": refused.refusal.value,
        "reason": words,
    }


def write_csv(disputes: list[dict[str, Any]]) -> None:
    """Write one line a dispute; the byte order mark makes Excel read Vietnamese right."""
    sys.stdout.write("\ufeff")
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    for dispute in disputes:
        filing = dispute["steps"][0]
        words = {
            "filed_time": filing["time"],
            "filed_by": f"{filing['name']} ({filing['role']})",
            "text": filing["text"],
        }
        writer.writerow(dispute | {k: _harmless(v) for k, v in words.items()})


def _harmless(text: str) -> str:
    """Return a text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
