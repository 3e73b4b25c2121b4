"""The command line: the public face of the service. One file a command.

Data on stdout, everything else on stderr. Exit status: 0 fine, 1 failed, 2 usage or configuration, 3 ran fine
and found non-compliance.
"""


def main() -> None:
    """Run `phusong`."""
    from phusong.dashboards.commands.app import run

    run()
