"""`phusong pseudonymize`: subscriber keys from identities, under a key that only the operator has."""

import hmac
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

from phusong.dashboards.commands.exits import USAGE, fail

# Half of what HMAC-SHA256 gives out; a shorter key would be the weakest part.
KEY_BYTES_MIN = 16
SUBSCRIBER_KEY_BYTES = 8
# Written together, and the bar moves on.
RUN_COUNT = 50_000


def pseudonymize(
    key_file: Annotated[
        Path, typer.Option("--key-file", help="The operator's secret: at least 16 random bytes.")
    ],
    identities: Annotated[
        Path | None, typer.Argument(help="One IMSI or MSISDN a line; none reads stdin.")
    ] = None,
) -> None:
    """Print the subscriber key of each identity, in order; the identities are neither stored nor printed.

    The key is the first 64 bits of HMAC-SHA256(key file, identity), unsigned, decimal. Nothing is printed where a line is wrong.

    Example: head -c 32 /dev/urandom > sims.key; phusong pseudonymize --key-file sims.key imsi.txt > keys.txt
    """
    try:
        secret = key_file.read_bytes()
        content = sys.stdin.buffer.read() if identities is None else identities.read_bytes()
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    if len(secret) < KEY_BYTES_MIN:
        fail(f"{key_file} holds {len(secret)} bytes, expected at least {KEY_BYTES_MIN}", USAGE)
    lines = [line.strip() for line in content.splitlines()]
    for number, identity in enumerate(lines, 1):
        if identity and not identity.isdigit():  # of bytes: ASCII digits alone
            # The identity itself is not repeated: it may be a person's.
            fail(f"line {number} is no IMSI or MSISDN: expected digits only", USAGE)
    for run in _shown(list(filter(None, lines))):
        sys.stdout.write("".join(f"{subscriber_key(secret, identity)}\n" for identity in run))


def subscriber_key(secret: bytes, identity: bytes) -> int:
    """Return the key of an identity: unsigned, 64 bits, never 0."""
    digest = hmac.digest(secret, identity, "sha256")
    # 0 means "no key" on the wire; one identity in 2^64 gets the next digest.
    while not any(digest[:SUBSCRIBER_KEY_BYTES]):
        digest = hmac.digest(secret, digest, "sha256")
    return int.from_bytes(digest[:SUBSCRIBER_KEY_BYTES])


def _shown(identities: list[bytes]) -> Iterator[list[bytes]]:
    """Yield identities in runs, behind a bar where somebody looks and the keys go elsewhere."""
    runs = (identities[start : start + RUN_COUNT] for start in range(0, len(identities), RUN_COUNT))
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from runs
        return
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("keys", total=len(identities))
        for run in runs:
            yield run
            bar.advance(task, len(run))
