"""`phusong export`: what other programs need to watch the service, as plain files."""

import sys
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.exits import USAGE, fail, say

# The page as the repository has it; an alert's section is its name in small letters.
RUNBOOKS = "docs/runbooks.md"
RULE_FILES = ("phusong.rules.yml", "prometheus.yml", "prometheus-tls.yml")
BOARD_FILES = (
    "phusong-intake.json",
    "phusong-coverage.json",
    "phusong-quota.json",
    "phusong-health.json",
)
UNIT_FILE = "phusong.service"
UNIT_COMMAND = "/usr/bin/phusong"
PROVISIONING_FILES = ("datasource.yml", "dashboards.yml")
# As the files have them, to be replaced by what is given.
TARGETS = {"prometheus.yml": "127.0.0.1:9464", "prometheus-tls.yml": "phusong.example:9464"}
DASHBOARD_PATH = "/var/lib/grafana/dashboards/phusong"
PROMETHEUS_URL = "http://127.0.0.1:9090"

FolderArgument = Annotated[Path, typer.Argument(help="Where to write; made where it is not there.")]
RunbooksOption = Annotated[
    str, typer.Option(help="Where the page of runbooks is: https://wiki.example/runbooks.")
]
TargetOption = Annotated[
    str | None, typer.Option(help="Where Phusong answers: phusong.example:9464.")
]

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Write files for programs around the service: rules for Prometheus, dashboards for Grafana, a unit for systemd.",
)


@app.command()
def rules(
    folder: FolderArgument, runbooks: RunbooksOption = RUNBOOKS, target: TargetOption = None
) -> None:
    """Write recording and alerting rules, and a Prometheus configuration without TLS and one with it.

    Examples:

        phusong export rules /etc/prometheus/phusong

        phusong export rules DIR --target 127.0.0.1:9464 --runbooks https://wiki.example/phusong/runbooks

    Files of the same names are replaced. docs/runbooks.md says what each alert means and what to do.
    """
    _check(runbooks, target)
    for path in write_rules(folder, runbooks, target):
        typer.echo(path)
    say(
        f"Next: start prometheus --config.file={folder / 'prometheus.yml'} here, or name {RULE_FILES[0]} under rule_files of"
        " the Prometheus you have\nand scrape Phusong there as the job `phusong`."
    )


@app.command()
def dashboards(
    folder: FolderArgument,
    runbooks: RunbooksOption = RUNBOOKS,
    target: TargetOption = None,
    prometheus: Annotated[
        str, typer.Option(help="Where Grafana finds Prometheus.")
    ] = PROMETHEUS_URL,
) -> None:
    """Write dashboards for Grafana, its provisioning files, and the rules and configuration for Prometheus.

    Examples:

        phusong export dashboards /var/lib/grafana/dashboards/phusong

        phusong export dashboards DIR --prometheus http://prometheus.example:9090 --runbooks https://wiki.example/runbooks

    Files of the same names are replaced. Without provisioning, import each phusong-*.json in Grafana (Dashboards, New, Import).
    Panels need the rules: some show what Prometheus records by them.
    """
    _check(runbooks, target)
    _check_address("--prometheus", prometheus)
    written = write_rules(folder, runbooks, target)
    source = files("phusong.dashboards") / "grafana"
    linked = {f"{RUNBOOKS}#": f"{runbooks}#"}
    written += [_write_file(source / name, folder / name, linked) for name in BOARD_FILES]
    filled = {DASHBOARD_PATH: str(folder.absolute()), PROMETHEUS_URL: prometheus}
    for name in PROVISIONING_FILES:
        path = folder / "provisioning" / name
        written.append(_write_file(source / "provisioning" / name, path, filled))
    for path in written:
        typer.echo(path)
    say(
        "Next: copy provisioning/datasource.yml and provisioning/dashboards.yml to /etc/grafana/provisioning/datasources and"
        " …/dashboards as phusong.yml,\nload phusong.rules.yml in Prometheus, and restart Grafana."
    )


@app.command()
def systemd(folder: FolderArgument) -> None:
    """Write a unit for systemd: readiness, watchdog, reload, limits, and no rights but those needed.

    Example: phusong export systemd /etc/systemd/system

    The file phusong.service is replaced; keep your own changes beside it (`systemctl edit phusong`). docs/operating.md says the rest.
    """
    command = Path(sys.argv[0]).absolute()
    source = files("phusong.dashboards") / "systemd" / UNIT_FILE
    typer.echo(_write_file(source, folder / UNIT_FILE, {UNIT_COMMAND: str(command)}))
    say(
        "Next: useradd --system --home-dir /var/lib/phusong phusong; put the settings into /etc/phusong/phusong.toml;\n"
        "systemctl daemon-reload; systemctl enable --now phusong; systemctl status phusong"
    )


def _check(runbooks: str, target: str | None) -> None:
    _check_address("--runbooks", runbooks)
    if target is not None:
        _check_address("--target", target)


def _check_address(option: str, address: str) -> None:
    """Refuse what would break the files it is put into."""
    if not address or any(character in address for character in " \t\r\n#\"'\\"):
        fail(f"{option} is an address without spaces, quotes, # or backslash", USAGE)


def write_rules(folder: Path, runbooks: str = RUNBOOKS, target: str | None = None) -> list[Path]:
    """Write the rules and the configurations for Prometheus; return their files."""
    source = files("phusong.dashboards") / "prometheus"
    written = []
    for name in RULE_FILES:
        filled = {f"{RUNBOOKS}#": f"{runbooks}#"}
        if target is not None and name in TARGETS:
            filled[TARGETS[name]] = target
        written.append(_write_file(source / name, folder / name, filled))
    return written


def _write_file(source: Traversable, path: Path, filled: dict[str, str]) -> Path:
    content = source.read_text(encoding="utf-8")
    for found, put in filled.items():
        content = content.replace(found, put)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    return path
