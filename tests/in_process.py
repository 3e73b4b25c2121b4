"""The command line within this process: the same code, without a second for the start of each command."""

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from phusong.dashboards.commands.app import run
from running import Ran


def phusong(*arguments: object, status: int | None = 0) -> Ran:
    """Run the command and check how it ended."""
    out, err = io.StringIO(), io.StringIO()
    ended = 0
    argv = ["phusong", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            run()
        except SystemExit as end:
            ended = end.code if isinstance(end.code, int) else int(end.code is not None)
    ran = Ran(ended, out.getvalue(), err.getvalue())
    assert status is None or ran.status == status, ran
    return ran
