"""All commands under one name. Each is imported only when it runs, so that `phusong version` answers at once."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

# name → (module, function or sub-application, one line of help)
COMMANDS = {
    "demo": ("demo", "demo", "Show it all on a seeded synthetic programme."),
    "serve": ("serve", "serve", "Take telemetry in by MQTT and gRPC, judge it, expose /metrics."),
    "import": ("import_files", "import_files", "Take older records in from files."),
    "registry": (
        "registry",
        "app",
        "Add lists: sites, sims, sources, platforms, programme, policy, operators.",
    ),
    "source": ("source", "app", "Make credentials for sources: token, certificate."),
    "coverage": (
        "coverage",
        "coverage",
        "Say for each site whether it is covered, and on what evidence.",
    ),
    "dispute": (
        "dispute",
        "app",
        "Say that a verdict is wrong, on evidence: file, rebut, concede, list, show.",
    ),
    "ruling": (
        "ruling",
        "app",
        "Rule, as an auditor, on readings that were set aside: release, confirm, list.",
    ),
    "programme": (
        "programme",
        "app",
        "Say of each obligation its target, its deadline and what is proven: status.",
    ),
    "quota": ("quota", "app", "Say for each SIM what of its free volume a day took."),
    "decisions": (
        "decisions",
        "decisions",
        "Say what enforcement points were told, and whether it was sent, acknowledged, verified.",
    ),
    "journal": (
        "journal",
        "app",
        "Look into the journal, mend and prune it: stat, quarantine, restore, prune.",
    ),
    "audit": ("audit", "app", "Prove the journal and the figures made from it: verify."),
    "export": (
        "export",
        "app",
        "Write files for programs around the service: rules, dashboards, systemd.",
    ),
    "pseudonymize": (
        "pseudonymize",
        "pseudonymize",
        "Turn IMSIs into subscriber keys under a key of your own; nothing is stored.",
    ),
    "check-config": (
        "check_config",
        "check_config",
        "Check a configuration file without starting anything.",
    ),
    "doctor": ("doctor", "doctor", "Say what is wrong with this machine, and how to mend it."),
    "version": ("version", "version", "Print the version."),
}
CONTEXT = {"help_option_names": ["-h", "--help"]}


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (typer's signature)
        """Return the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command of a name, None for an unknown one."""
        if cmd_name not in COMMANDS:
            return None
        module_name, attribute, summary = COMMANDS[cmd_name]
        if cmd_name not in sys.argv[1:2]:  # only listed, as in `phusong -h`
            return _command(cmd_name, _not_asked_for, summary)
        module = importlib.import_module(f"phusong.dashboards.commands.{module_name}")
        found = getattr(module, attribute)
        return get_command(found) if isinstance(found, typer.Typer) else _command(cmd_name, found)


def _not_asked_for() -> None:
    """Stand in a list for a command that is not run."""


def _command(name: str, function: Callable[..., None], summary: str | None = None) -> Any:
    single = typer.Typer(context_settings=CONTEXT, add_completion=False)
    single.command(name=name, help=summary)(function)
    return get_command(single)


app = typer.Typer(
    cls=LazyGroup,
    context_settings=CONTEXT,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Telemetry in; coverage verdicts and quota compliance out, each with its evidence.\n\n"
    "Start with: phusong demo --once",
)


@app.callback()
def main_options() -> None:
    """Network telemetry and coverage verification."""


def run() -> None:
    """Run the command line; Ctrl-C ends it cleanly."""
    try:
        app()
    except KeyboardInterrupt:
        sys.stderr.write("\nphusong: stopped\n")
        raise SystemExit(130) from None
    except BrokenPipeError:  # `phusong … | head`
        sys.stderr.close()
        raise SystemExit(1) from None
