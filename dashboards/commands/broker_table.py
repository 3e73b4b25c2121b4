"""The `[broker]` table of the configuration: which broker is read, and as whom."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from phusong.collector.broker.options import KEEP_ALIVE_S, PORT, RECEIVE_MAX, BrokerOptions
from phusong.dashboards.commands.exits import Unusable

PORT_MAX = 65_535
UINT16_MAX = 65_535
# MQTT allows more; no broker's log is the better for it.
NAME_LENGTH_MAX = 128
# A password is typed or generated; a larger file is another file.
PASSWORD_MAX_BYTES = 4096


class BrokerTable(BaseModel):
    """A broker that telemetry is read from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(min_length=1, description="Name or address of the broker.")
    client_id: str = Field(
        min_length=1,
        max_length=NAME_LENGTH_MAX,
        description="Stays the same for ever and is nobody else's: the broker keeps our session under it.",
    )
    port: int = Field(PORT, ge=1, le=PORT_MAX, description="Usually 1883, with TLS 8883.")
    version: Literal["3.1.1", "5"] = Field("5", description="MQTT as the broker speaks it.")
    group: str = Field(
        "",
        max_length=NAME_LENGTH_MAX,
        pattern=r"^[^/+#]*$",
        description="Share the messages with the other collectors of this group; empty: all of them are ours.",
    )
    credential: str = Field(
        "",
        pattern=r"^([a-z0-9._-]{1,64}/[a-z0-9._-]{1,64})?$",
        description="<operator>/<source> of the register of sources: its row bounds what comes over this broker.",
    )
    username: str = Field("", description="Empty: anonymous.")
    password_file: Path | None = Field(None, description="The password alone, on one line.")
    receive_max: int = Field(
        RECEIVE_MAX, ge=1, le=UINT16_MAX, description="MQTT 5: unacknowledged messages at most."
    )
    keep_alive_s: int = Field(KEEP_ALIVE_S, ge=5, le=UINT16_MAX, description="Seconds.")
    tls_ca_file: Path | None = Field(
        None, description="PEM of who signed the broker's certificate; turns TLS on."
    )
    tls_certificate_file: Path | None = Field(None, description="Our own PEM, for mutual TLS.")
    tls_key_file: Path | None = Field(None, description="The key of our own certificate.")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.password_file is not None and not self.username:
            raise ValueError("password_file without username")
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_certificate_file and tls_key_file belong together")
        if self.tls_certificate_file is not None and self.tls_ca_file is None:
            raise ValueError("tls_certificate_file without tls_ca_file, which turns TLS on")
        return self


def broker_options(table: BrokerTable | None) -> BrokerOptions | None:
    """Return what the broker is read with. Raises Unusable when the password cannot be read."""
    if table is None:
        return None
    fields = table.model_dump(exclude={"password_file"})
    return BrokerOptions(**fields, password=_password(table.password_file))


def broker_caution(table: BrokerTable | None) -> str | None:
    """Say what is risky in how the broker is read, None when nothing is."""
    if table is None or table.password_file is None or table.tls_ca_file is not None:
        return None
    return f"broker: the password goes to {table.host} in clear; tls_ca_file turns TLS on"


def _password(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        with file.open("rb") as opened:
            content = opened.read(PASSWORD_MAX_BYTES + 1)
        lines = content.decode().splitlines()
    except OSError as error:
        raise Unusable(f"broker.password_file: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"broker.password_file: {file} is not UTF-8") from error
    if len(lines) != 1 or len(content) > PASSWORD_MAX_BYTES:
        raise Unusable(f"broker.password_file: {file}: expected the password alone, on one line")
    return lines[0]
