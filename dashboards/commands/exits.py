"""How commands end, and how they say why."""

import sys
from typing import NoReturn

FINE = 0
FAILED = 1
USAGE = 2
NON_COMPLIANT = 3


class Unusable(Exception):
    """A value of the configuration cannot be used as things are; the message says which and why. Status 2."""


def say(message: str) -> None:
    """Write one line for people."""
    sys.stderr.write(f"{message}\n")


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Say what went wrong and what to do next, and end."""
    say(f"phusong: {message}")
    raise SystemExit(status)
