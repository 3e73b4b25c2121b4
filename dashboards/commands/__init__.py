"""The command line: the public face of the service. One file a command.

Data on stdout, everything else on stderr. Exit status: 0 fine, 1 failed, 2 usage or configuration, 3 ran fine
and found non-compliance.
"""

import signal
import sys


def main() -> None:
    """Run `phusong`."""
    if sys.argv[1:2] == ["serve"]:
        # Until the service listens for it itself: nothing is open yet, so there is nothing to close.
        signal.signal(signal.SIGTERM, _stop_at_once)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the configuration is read after this anyway
    from phusong.dashboards.commands.app import run

    run()


def _stop_at_once(*_: object) -> None:
    raise SystemExit(0)
