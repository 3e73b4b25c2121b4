"""`phusong export`: what other programs need to watch the service, as plain files."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.exits import USAGE, fail, say

# The page as the repository has it; an alert's section is its name in small letters.
RUNBOOKS = "docs/runbooks.md"
FILES = ("phusong.rules.yml", "prometheus.yml", "prometheus-tls.yml")

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Write files for programs that watch the service: rules.",
)


@app.callback()
def _verbs() -> None:
    """Keep the verb even while there is only one."""


@app.command()
def rules(
    folder: Annotated[Path, typer.Argument(help="Where to write; made where it is not there.")],
    runbooks: Annotated[
        str, typer.Option(help="Where the page of runbooks is: https://wiki.example/runbooks.")
    ] = RUNBOOKS,
) -> None:
    """Write recording and alerting rules, and a Prometheus configuration without TLS and one with it.

    Examples:

        phusong export rules /etc/prometheus/phusong

        phusong export rules DIR --runbooks https://wiki.example/phusong/runbooks

    Files of the same names are replaced. docs/runbooks.md says what each alert means and what to do.
    """
    if any(character in runbooks for character in " \t\r\n#\"'"):
        fail("--runbooks is an address without spaces, quotes or #: the section is added", USAGE)
    source = files("phusong.dashboards") / "prometheus"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            content = (source / name).read_text(encoding="utf-8")
            content = content.replace(f"{RUNBOOKS}#", f"{runbooks}#")
            (folder / name).write_text(content, encoding="utf-8")
            typer.echo(folder / name)
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    say(
        f"Next: start prometheus --config.file={folder / 'prometheus.yml'} here, or name {FILES[0]} under rule_files of"
        " the Prometheus you have\nand scrape Phusong there as the job `phusong`."
    )
