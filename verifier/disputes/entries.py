"""Steps of disputes to the bytes of the journal and back. What cannot be meant is a refusal."""

import unicodedata
from collections.abc import Iterable, Iterator

from google.protobuf.message import DecodeError

from phusong.v1.journal_pb2 import DisputedVerdict as VerdictMessage
from phusong.v1.journal_pb2 import DisputeEntry, EvidenceSelection
from phusong.verifier.disputes.records import (
    NAME_LENGTH_MAX,
    SELECTION_COUNT_MAX,
    TEXT_LENGTH_MAX,
    Act,
    DisputedVerdict,
    Refusal,
    RefusedStep,
    Selection,
    Side,
    Step,
)
from phusong.verifier.registry.entries import Version

KEY_MAX = 2**64 - 1
# A Unix time in ms that is one: until the year 9999.
TIME_MAX_MS = 253_402_300_799_999


def encode_step(step: Step) -> bytes:
    """Return the payload of a step; the same step is always the same bytes."""
    entry = DisputeEntry(
        act=int(step.act),  # type: ignore[arg-type]  # the generated stub wants its own enum type
        dispute=step.dispute,
        name=step.name,
        role=step.role,
        text=step.text,
        evidence=[_selection_message(selection) for selection in step.evidence],
        in_favour_of=int(step.in_favour_of or 0),  # type: ignore[arg-type]  # as above
    )
    if step.verdict is not None:
        entry.verdict.CopyFrom(VerdictMessage(**step.verdict._asdict()))
    return entry.SerializeToString(deterministic=True)


def decode_steps(versions: Iterable[Version]) -> Iterator[Step | RefusedStep]:
    """Yield what each entry holds, in the order given."""
    for version in versions:
        step = decode_step(version)
        if isinstance(step, Refusal):
            yield RefusedStep(version.sequence, version.envelope, step, None, "")
        else:
            yield step


def decode_step(version: Version) -> Step | Refusal:
    """Return the step an entry of the journal holds."""
    try:
        entry = DisputeEntry.FromString(version.content)
    except DecodeError:
        return Refusal.MALFORMED
    if int(entry.act) not in set(Act) or int(entry.in_favour_of) not in (0, *Side):
        return Refusal.MALFORMED
    step = Step(
        sequence=version.sequence,
        envelope=version.envelope,
        time_ms=version.known_time_ms,
        act=Act(entry.act),
        dispute=entry.dispute,
        name=plain(entry.name),
        role=plain(entry.role),
        text=plain(entry.text),
        evidence=tuple(_selection(message) for message in entry.evidence),
        verdict=_verdict(entry.verdict) if entry.HasField("verdict") else None,
        in_favour_of=Side(entry.in_favour_of) if entry.in_favour_of else None,
    )
    return Refusal.MALFORMED if any(faults_of(step)) else step


def faults_of(step: Step) -> Iterator[str]:
    """Yield what is wrong with a step by itself, in words that say what is expected."""
    for what, text, length_max in (
        ("name", step.name, NAME_LENGTH_MAX),
        ("role", step.role, NAME_LENGTH_MAX),
        ("text", step.text, TEXT_LENGTH_MAX),
    ):
        if not 0 < len(text) <= length_max:
            yield f"{what}: {len(text)} characters; expected 1 to {length_max}"
    if len(step.evidence) > SELECTION_COUNT_MAX:
        yield f"evidence: {len(step.evidence)} selections; at most {SELECTION_COUNT_MAX}"
    if (step.act in (Act.FILE, Act.REBUT)) != bool(step.evidence):
        yield "evidence: a filing and a rebuttal name some, and nothing else does"
    if (step.act is Act.FILE) != (step.verdict is not None):
        yield "verdict: a filing names one, and nothing else does"
    if (step.act is Act.FILE) != (not step.dispute):
        yield "dispute: every step after the filing names it"
    if (step.act is Act.DECIDE) != (step.in_favour_of is not None):
        yield "in favour of: a decision says for whom it is, and nothing else does"
    if step.verdict is not None and not 0 <= step.verdict.as_of_ms <= TIME_MAX_MS:
        yield "as of: no time"
    for selection in step.evidence:
        yield from _faults_of_selection(selection)


def _faults_of_selection(selection: Selection) -> Iterator[str]:
    low, high = selection.from_time_ms, selection.until_time_ms
    if not (0 <= low <= TIME_MAX_MS and 0 <= high <= TIME_MAX_MS):
        yield "evidence: no time"
    elif high and low > high:
        yield "evidence: ends before it begins"
    if selection == Selection():
        yield "evidence: names nothing; expected a source, a device, a file or a time"


def plain(text: str) -> str:
    """Return a text as it is compared: NFC, without control characters (a terminal would obey them)."""
    kept = "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
    return unicodedata.normalize("NFC", kept).strip()


def _selection_message(selection: Selection) -> EvidenceSelection:
    fields = selection._asdict()
    fields["file_sha256"] = bytes.fromhex(selection.file_sha256)
    return EvidenceSelection(**fields)


def _selection(message: EvidenceSelection) -> Selection:
    return Selection(
        operator=plain(message.operator),
        source=plain(message.source),
        device_key=message.device_key,
        from_time_ms=message.from_time_ms,
        until_time_ms=message.until_time_ms,
        file=plain(message.file),
        file_sha256=message.file_sha256.hex(),
        boot_epoch=message.boot_epoch,
    )


def _verdict(message: VerdictMessage) -> DisputedVerdict:
    return DisputedVerdict(
        site_code=plain(message.site_code),
        operator=plain(message.operator),
        technology=plain(message.technology),
        as_of_ms=message.as_of_ms,
        verdict=plain(message.verdict),
        policy_digest=plain(message.policy_digest),
    )
