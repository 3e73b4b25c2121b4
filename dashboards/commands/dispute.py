"""`phusong dispute`: say that a verdict is wrong, on evidence, and see how that ends."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from phusong.dashboards.commands.dispute_options import (
    DeviceOption,
    FileOption,
    FromOption,
    NameOption,
    RoleOption,
    SourceOption,
    TextOption,
    UntilOption,
    selections_of,
)
from phusong.dashboards.commands.dispute_records import dispute_record, refused_record, write_csv
from phusong.dashboards.commands.dispute_sides import readings_of_side, sides_document
from phusong.dashboards.commands.entering import enter, entered_as
from phusong.dashboards.commands.exits import FAILED, USAGE, fail, say
from phusong.dashboards.commands.options import (
    DATA_DEFAULT,
    AsOfOption,
    DataOption,
    Format,
    FormatOption,
    KnownAtOption,
    iso_text,
    now_ms,
    time_ms,
)
from phusong.dashboards.commands.replaying import state_of
from phusong.dashboards.commands.version import software
from phusong.kernels.frame import PayloadKind
from phusong.verifier.coverage.records import SiteVerdict
from phusong.verifier.disputes.book import DisputeBook
from phusong.verifier.disputes.entries import encode_step, faults_of, plain
from phusong.verifier.disputes.records import (
    Act,
    DisputedVerdict,
    Refusal,
    RefusedStep,
    Side,
    Step,
    dispute_name,
)
from phusong.verifier.disputes.wording import refusal_text, standing_text
from phusong.verifier.journal import JournalReader
from phusong.verifier.placing import Horizon
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.state import State

EPILOG = "Exit status: 0 fine, 1 refused, 2 usage. More: docs/disputes.md."

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Say that a verdict is wrong, on evidence, and see how that ends.",
)

DisputeArgument = Annotated[str, typer.Argument(metavar="DISPUTE", help="Its name, such as D12.0.")]


class Favour(StrEnum):
    """For whom an auditor decides."""

    FILER = "filer"
    RESPONDENT = "respondent"


@app.command(epilog=EPILOG)
def file(
    site: Annotated[str, typer.Option("--site", help="The site code.")],
    operator: Annotated[str, typer.Option("--operator", help="Whose verdict: viettel.")],
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    technology: Annotated[str, typer.Option("--technology", help="LTE, NR, UMTS.")] = "LTE",
    as_of: AsOfOption = None,
    evidence_file: FileOption = None,
    source: SourceOption = None,
    device: DeviceOption = None,
    from_time: FromOption = None,
    until: UntilOption = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Dispute the verdict on a site, an operator and a technology as of a time.

    Import what you measured first; it counts for the verdict as any other reading does.

    Example:

        phusong import my-drive.csv --operator viettel --source village-survey --data DIR

        phusong dispute file --site HG-0017 --operator viettel --as-of 2021-12-31 --name 'Vàng A Sình' --role 'village head'
        --text 'No signal above the school.' --evidence-file my-drive.csv --data DIR
    """
    evidence = selections_of(evidence_file, source, device, from_time, until)
    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    state = state_of(data, Horizon(judged_ms))
    row = _disputed_row(state, judged_ms, (site, operator, technology), data)
    digest = state.registries.policy.digest
    verdict = DisputedVerdict(site, operator, technology, judged_ms, row.verdict.value, digest)
    step = _step(Act.FILE, "", name, role, text)._replace(evidence=evidence, verdict=verdict)
    _take(data, step)


@app.command(epilog=EPILOG)
def rebut(
    dispute: DisputeArgument,
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    evidence_file: FileOption = None,
    source: SourceOption = None,
    device: DeviceOption = None,
    from_time: FromOption = None,
    until: UntilOption = None,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Answer a dispute with evidence, within its limit.

    Example: phusong dispute rebut D12.0 --name 'Viettel Hà Giang' --role operator --text … --source viettel/probe-7 --data DIR
    """
    evidence = selections_of(evidence_file, source, device, from_time, until)
    _take(data, _step(Act.REBUT, dispute, name, role, text)._replace(evidence=evidence))


@app.command(epilog=EPILOG)
def concede(
    dispute: DisputeArgument,
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give in as the other side: the filer is right.

    Example: phusong dispute concede D12.0 --name 'Viettel Hà Giang' --role operator --text 'Mast 7 was off.' --data DIR
    """
    _take(data, _step(Act.CONCEDE, dispute, name, role, text))


@app.command(epilog=EPILOG)
def withdraw(
    dispute: DisputeArgument,
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """Give in as the filer, under the name that filed.

    Example: phusong dispute withdraw D12.0 --name 'Vàng A Sình' --role 'village head' --text 'It works now.' --data DIR
    """
    _take(data, _step(Act.WITHDRAW, dispute, name, role, text))


@app.command(epilog=EPILOG)
def decide(
    dispute: DisputeArgument,
    favour: Annotated[Favour, typer.Option("--for", help="Who is right.")],
    name: NameOption,
    role: RoleOption,
    text: TextOption,
    data: DataOption = DATA_DEFAULT,
) -> None:
    """End a dispute that was rebutted, as an auditor. `phusong dispute show` has both sides.

    Example: phusong dispute decide D12.0 --for filer --name 'Kiểm toán khu vực' --role auditor --text … --data DIR
    """
    side = Side.FILER if favour is Favour.FILER else Side.RESPONDENT
    _take(data, _step(Act.DECIDE, dispute, name, role, text)._replace(in_favour_of=side))


@app.command(name="list", epilog="Exit status: 0 fine, 1 failed, 2 usage.")
def list_disputes(
    data: DataOption = DATA_DEFAULT,
    site: Annotated[str | None, typer.Option("--site", help="Only of this site code.")] = None,
    is_open: Annotated[bool, typer.Option("--open", help="Only those not ended.")] = False,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """List disputes, how they stand, and steps without effect.

    Example: phusong dispute list --open --data DIR
    """
    known_ms = now_ms() if known_at is None else time_ms(known_at, "--known-at")
    registries = state_of(data, Horizon()).registries
    book = registries.disputes(known_ms)
    found = [
        dispute
        for dispute in book.disputes.values()
        if site in (None, dispute.verdict.site_code) and (dispute.state.is_open or not is_open)
    ]
    document: dict[str, Any] = {
        "known_at": iso_text(known_ms),
        "software": software(),
        "disputes": [dispute_record(dispute) for dispute in found],
        "refused": [
            refused_record(refused, refusal_text(refused, book, _limits_of(registries, refused)))
            for refused in book.refused
        ],
    }
    if output is Format.JSON:
        _write_json(document)
    elif output is Format.CSV:
        write_csv(document["disputes"])
    else:
        from phusong.dashboards.dispute_tables import disputes_table

        disputes_table(document)


@app.command(epilog="Exit status: 0 fine, 1 failed, 2 usage.")
def show(
    dispute: DisputeArgument,
    data: DataOption = DATA_DEFAULT,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show a dispute with the verdict on all evidence, on the filer's alone and on the rebutter's alone.

    Example: phusong dispute show D12.0 --as-of 2021-12-31 --data DIR
    """
    judged_ms = now_ms() if as_of is None else time_ms(as_of, "--as-of")
    known_ms = now_ms() if known_at is None else time_ms(known_at, "--known-at")
    state = state_of(data, Horizon())
    found = state.registries.disputes(known_ms).disputes.get(dispute)
    if found is None:
        fail(
            f"no dispute {dispute!r} was filed by {iso_text(known_ms)}; `phusong dispute list --data {data}`"
            " names all",
            USAGE,
        )
    document = {
        "as_of": iso_text(judged_ms),
        "known_at": iso_text(known_ms),
        "policy": {"id": state.registries.policy.id, "digest": state.registries.policy.digest},
        "software": software(),
        "dispute": dispute_record(found),
        "sides": sides_document(data, state, found, Horizon(judged_ms, known_ms)),
    }
    if output is Format.TABLE:
        from phusong.dashboards.dispute_tables import dispute_page

        dispute_page(document)
    elif output is Format.CSV:
        fail(
            "one dispute has no CSV; use --format json, or `phusong dispute list --format csv`",
            USAGE,
        )
    else:
        _write_json(document)


def _step(act: Act, dispute: str, name: str, role: str, text: str) -> Step:
    return Step(0, 0, 0, act, plain(dispute), plain(name), plain(role), plain(text))


def _disputed_row(
    state: State, as_of_ms: int, wanted: tuple[str, str, str], data: Path
) -> SiteVerdict:
    """Return the row somebody disputes, or end with the rows there are."""
    rows = state.verdicts(as_of_ms)
    of_site = [row for row in rows if row.site_code == wanted[0]]
    if not of_site:
        fail(
            f"no site {wanted[0]!r} is registered; `phusong coverage --data {data}` lists all",
            USAGE,
        )
    by_network = {(row.operator, row.technology): row for row in of_site}
    if wanted[1:] not in by_network:
        there = ", ".join(" ".join(network) for network in by_network)
        fail(f"site {wanted[0]} has no verdict on {wanted[1]} {wanted[2]}; it has {there}", USAGE)
    return by_network[wanted[1:]]


def _take(data: Path, step: Step) -> None:
    """Enter a step, unless it is plain beforehand that it has no effect; say what became of it."""
    faults = list(faults_of(step))
    if faults:
        fail("; ".join(faults), USAGE)
    state = state_of(data, Horizon())
    # By the journal's own clock, which is a service's and may be another than this machine's; it will be later yet.
    at_ms = JournalReader(data / "journal").last_time_ms()
    if step.verdict is not None:
        at_ms = max(at_ms, step.verdict.as_of_ms)
    before = step._replace(sequence=state.position.sequence + 1, time_ms=at_ms)
    book = state.registries.disputes(at_ms)
    _tell_refusal(book.take(before, state.registries.limits()), book, state.registries)
    if step.evidence:
        _check_evidence(data, state, before, book)
    payload = encode_step(step)
    sequence = enter(data, PayloadKind.DISPUTE, payload)
    history, version = entered_as(data, state, PayloadKind.DISPUTE, sequence, payload)
    registries = KnownRegistries(history)
    book = registries.disputes(version.known_time_ms)
    place = (version.sequence, version.envelope)
    refused = next((r for r in book.refused if (r.sequence, r.envelope) == place), None)
    _tell_refusal(refused, book, registries)
    name = step.dispute or dispute_name(*place)
    typer.echo(f"{name}: {standing_text(book.disputes[name])}")
    say(
        f"phusong: entered as sequence {sequence}. `phusong dispute show {name} --data {data}` shows both sides"
    )


def _tell_refusal(
    refused: RefusedStep | None, book: DisputeBook, registries: KnownRegistries
) -> None:
    """End with the reason of a refusal; what had come before word by word is no failure."""
    if refused is None:
        return
    text = refusal_text(refused, book, _limits_of(registries, refused))
    if refused.refusal is Refusal.REPEATED:
        typer.echo(f"{refused.dispute}: {text}")
        raise SystemExit(0)
    fail(f"{refused.refusal.value}: {text}.", FAILED)


def _limits_of(registries: KnownRegistries, refused: RefusedStep) -> Any:
    return registries.limits() if refused.step is None else registries.limits_at(refused.step)


def _check_evidence(data: Path, state: State, step: Step, book: DisputeBook) -> None:
    """End where no reading that counts is named: then nothing could be judged."""
    verdict = step.verdict or book.disputes[step.dispute].verdict
    if not readings_of_side(data, state, step, verdict):
        fail(
            f"none of the readings named counts for {verdict.operator} {verdict.technology} at {verdict.site_code}. Import them"
            f" first (`phusong import FILE`); `phusong journal quarantine --data {data}` says what was set aside, and why",
            FAILED,
        )


def _write_json(document: dict[str, Any]) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
