"""`phusong source`: credentials for sources. What is secret is printed once, and kept nowhere."""

import hashlib
import secrets
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from phusong.dashboards.commands.exits import USAGE, fail, say
from phusong.kernels.grants import principal_of
from phusong.kernels.source_fields import FieldError, read_slug

# Guessing 256 bits is out of the question, so the register may hold a plain SHA-256 of a token.
TOKEN_RANDOM_BYTES = 32
# So that nobody takes a token for a hash, a shell never takes it for an option, and scanners for leaked secrets know it.
PREFIX = "phusong_"

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    help="Make credentials for sources.",
)


@app.command()
def token(
    operator: Annotated[str, typer.Argument(help="Whose data it sends, as in topics: viettel.")],
    source: Annotated[str, typer.Argument(help="Its name, as in topics: probe-7.")],
) -> None:
    """Print a new token of a source, once; on stderr, what to add to the register of sources.

    Example: (umask 077; phusong source token viettel probe-7 > probe-7.token)
    """
    try:
        principal = principal_of(read_slug(operator), read_slug(source))
    except FieldError as error:
        fail(str(error), USAGE)
    made = PREFIX + secrets.token_urlsafe(TOKEN_RANDOM_BYTES)
    typer.echo(made)
    digest = hashlib.sha256(made.encode()).hexdigest()
    say(
        f"The token is on stdout, and nowhere else. Line for the register of sources:\n\n"
        f"source,operator,token_sha256\n{source},{operator},{digest}\n\n"
        f"Next: add it with the lines of all other sources (phusong registry add sources FILE --data DIR),\n"
        f"and give the token to the source. By MQTT it is the password of the user {principal},\n"
        f"by gRPC the metadata `authorization: Bearer TOKEN`. docs/registries.md says how to rotate it."
    )


@app.command()
def certificate(
    file: Annotated[Path, typer.Argument(help="The certificate of a source, in PEM.")],
) -> None:
    """Print the SHA-256 of a source's certificate, as the register of sources takes it.

    Example: phusong source certificate probe-7.pem
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        fail(f"{file}: {error.strerror}", USAGE)
    try:
        found = x509.load_pem_x509_certificate(content)
    except ValueError:
        # The content is not repeated: it may be a private key.
        fail(f"{file} holds no certificate in PEM; expected -----BEGIN CERTIFICATE-----", USAGE)
    typer.echo(hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest())
    say(
        f"{found.subject.rfc4514_string() or 'no subject'}, valid until {found.not_valid_after_utc:%Y-%m-%d}."
        f" Next: write it into certificate_sha256 of the source's line in the register of sources,\n"
        f"and add that with phusong registry add sources FILE --data DIR."
    )
