"""`phusong pseudonymize`: subscriber keys from identities, under a key that only the operator has."""

import hashlib
import hmac
import sys
from pathlib import Path
from typing import Annotated

import typer

from phusong.dashboards.commands.exits import USAGE, fail

# Half of what HMAC-SHA256 gives out; a shorter key would be the weakest part.
KEY_BYTES_MIN = 16
SUBSCRIBER_KEY_BYTES = 8


def pseudonymize(
    key_file: Annotated[
        Path, typer.Option("--key-file", help="The operator's secret: at least 16 random bytes.")
    ],
    identities: Annotated[
        Path | None, typer.Argument(help="One IMSI or MSISDN a line; none reads stdin.")
    ] = None,
) -> None:
    """Print the subscriber key of each identity, in order; the identities are neither stored nor printed.

    The key is the first 64 bits of HMAC-SHA256(key file, identity), unsigned, decimal.

    Example: head -c 32 /dev/urandom > sims.key; phusong pseudonymize --key-file sims.key imsi.txt > keys.txt
    """
    try:
        secret = key_file.read_bytes()
        lines = (sys.stdin.read() if identities is None else identities.read_text("ascii")).split()
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", USAGE)
    except UnicodeDecodeError:
        fail("identities are digits, one a line", USAGE)
    if len(secret) < KEY_BYTES_MIN:
        fail(f"{key_file} holds {len(secret)} bytes, expected at least {KEY_BYTES_MIN}", USAGE)
    for number, identity in enumerate(lines, 1):
        if not identity.isdigit():
            # The identity itself is not repeated: it may be a person's.
            fail(f"line {number} is no IMSI or MSISDN: expected digits only", USAGE)
        typer.echo(subscriber_key(secret, identity))


def subscriber_key(secret: bytes, identity: str) -> int:
    """Return the key of an identity: unsigned, 64 bits, never 0."""
    digest = hmac.new(secret, identity.encode(), hashlib.sha256).digest()
    # 0 means "no key" on the wire; one identity in 2^64 gets the next digest.
    while not any(digest[:SUBSCRIBER_KEY_BYTES]):
        digest = hmac.new(secret, digest, hashlib.sha256).digest()
    return int.from_bytes(digest[:SUBSCRIBER_KEY_BYTES])
