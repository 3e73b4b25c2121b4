"""The configuration of `phusong serve`: flags over PHUSONG_* over TOML over defaults, and where each value came from.

A value inside a table is named `table.key`, and set by PHUSONG_TABLE_KEY.
"""

import os
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from phusong.collector.space import RESERVE_BYTES
from phusong.dashboards.commands.broker_table import PORT_MAX, BrokerTable
from phusong.dashboards.commands.door_tables import LimitsTable, TlsTable, is_open_to_network
from phusong.dashboards.commands.log_table import LogTable
from phusong.dashboards.commands.traces_table import TracesTable
from phusong.verifier.quota.settings import QUOTA_BYTES_DEFAULT

MQTT_PORT = 1883
GRPC_PORT = 4317 + 1  # beside OpenTelemetry's, which may run on the same host
HTTP_PORT = 9464
PREFIX = "PHUSONG_"
# Read elsewhere: where compiled kernels are kept, and by tests.
OTHER_VARIABLES = {"PHUSONG_KERNEL_CACHE", "PHUSONG_SEED"}


class Configuration(BaseModel):
    """Everything that can be set. Port 0 is any free port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(
        Path("phusong-data"), description="Folder of journal, registries, snapshots."
    )
    host: str = Field("127.0.0.1", description="Address the doors listen on.")
    mqtt_port: int = Field(MQTT_PORT, ge=0, le=PORT_MAX, description="MQTT 5 endpoint.")
    grpc_port: int = Field(GRPC_PORT, ge=0, le=PORT_MAX, description="gRPC door.")
    http_port: int = Field(HTTP_PORT, ge=0, le=PORT_MAX, description="/metrics and health.")
    open_loopback: bool = Field(
        False,
        description="Trials only: clients of this machine need no credential by MQTT and gRPC.",
    )
    clock_start: str | None = Field(
        None,
        description="Rehearsals only: the service's clock starts here, 2021-12-20T07:00+07:00.",
    )
    quota_bytes: int = Field(
        QUOTA_BYTES_DEFAULT, ge=1, le=2**62, description="Free volume a day: 4·2³⁰ or 4·10⁹."
    )
    disk_reserve_bytes: int = Field(
        RESERVE_BYTES,
        ge=0,
        le=2**62,
        description="Room on the disk below which nothing new is taken.",
    )
    site_metrics: bool = Field(
        False, description="Serve /metrics/sites too: four series per site and operator."
    )
    plaintext: bool = Field(
        False, description="Listen without TLS on an address that other machines can reach."
    )
    tls: TlsTable | None = Field(None, description="TLS for MQTT, gRPC and HTTP.")
    limits: LimitsTable = Field(
        LimitsTable.model_validate({}), description="How much the doors let through."
    )
    traces: TracesTable = Field(
        TracesTable.model_validate({}), description="Where spans go, by OpenTelemetry."
    )
    log: LogTable = Field(
        LogTable.model_validate({}), description="What the service says on stderr."
    )
    broker: BrokerTable | None = Field(
        None, description="A broker that telemetry is read from besides."
    )

    @model_validator(mode="after")
    def _readable_by_nobody_else(self) -> Self:
        if is_open_to_network(self.host) and self.tls is None and not self.plaintext:
            raise ValueError(
                f"host {self.host} can be reached from other machines, and without TLS everybody on the way reads"
                " tokens and telemetry: give [tls] certificate_file and key_file, or choose plaintext = true where"
                " something else protects the way (a VPN, a proxy that ends TLS)"
            )
        return self


TABLES: dict[str, type[BaseModel]] = {
    "tls": TlsTable,
    "limits": LimitsTable,
    "log": LogTable,
    "traces": TracesTable,
    "broker": BrokerTable,
}
NAMES = (
    *(name for name in Configuration.model_fields if name not in TABLES),
    *(f"{table}.{key}" for table, model in TABLES.items() for key in model.model_fields),
)


class Layered:
    """A configuration, where each of its values came from, and variables that look like ours and are none."""

    def __init__(
        self, configuration: Configuration, origin: dict[str, str], unknown: list[str]
    ) -> None:
        """Keep all three."""
        self.configuration = configuration
        self.origin = origin
        self.unknown = unknown


def read_configuration(file: Path | None, flags: dict[str, Any]) -> Layered | list[str]:
    """Return the configuration, or every error in it: key, what was found, what was expected.

    `flags` holds what the command line gave; None is "not given".
    """
    toml = {} if file is None else _read_toml(file)
    if isinstance(toml, list):
        return toml
    env = {name: os.environ[variable_of(name)] for name in NAMES if variable_of(name) in os.environ}
    flags = {name: value for name, value in flags.items() if value is not None}
    given = _flat(toml)
    origin = dict.fromkeys(NAMES, "default") | dict.fromkeys(given, str(file))
    origin |= {name: variable_of(name) for name in env}
    origin |= {name: f"--{name.replace('_', '-').replace('.', '-')}" for name in flags}
    try:
        configuration = Configuration(**_nested(given | env | flags))
    except ValidationError as errors:
        return [_error_text(error, origin) for error in errors.errors()]
    return Layered(configuration, origin, unknown_variables())


def unknown_variables() -> list[str]:
    """Say which variables of the environment begin like ours and set nothing, and what may have been meant.

    They are no errors: an orchestrator makes some of its own (Kubernetes does, of a service named phusong).
    """
    known = {variable_of(name) for name in NAMES} | OTHER_VARIABLES
    found = []
    for variable in sorted(set(os.environ) - known):
        if variable.startswith(PREFIX):
            near = get_close_matches(variable, known, 1)
            hint = f"did you mean {near[0]}?" if near else "see `phusong check-config`"
            found.append(f"{variable} is no setting and is ignored; {hint}")
    return found


def disk_reserve_bytes() -> int:
    """Return the room a command that needs no other setting leaves on the disk: PHUSONG_DISK_RESERVE_BYTES."""
    text = os.environ.get(variable_of("disk_reserve_bytes"), "")
    return int(text) if text.isdecimal() else RESERVE_BYTES


def value_of(configuration: Configuration, name: str) -> object:
    """Return the value of one of NAMES as JSON has it, None when its table is not given."""
    value: Any = configuration.model_dump(mode="json")
    for part in name.split("."):
        value = None if value is None else value[part]
    return value


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a document by their names."""
    flat: dict[str, Any] = {}
    for name, value in document.items():
        if name in TABLES and isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    """Return the document that has these values."""
    document: dict[str, Any] = {}
    for name, value in flat.items():
        table, dot, key = name.partition(".")
        if dot and table in TABLES:
            inner = document.setdefault(table, {})
            if isinstance(
                inner, dict
            ):  # or the document gives no table where one belongs: an error of its own
                inner[key] = value
        else:
            document[name] = value
    return document


def _error_text(error: ErrorDetails, origin: dict[str, str]) -> str:
    """Return what is wrong with one value: its key, where it came from, what was found, what was expected."""
    name = ".".join(map(str, error["loc"]))
    if not name:  # values that do not go together
        return error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"{name}: {error['msg']}"
    place = f"{name} ({origin[name]})" if name in origin else name
    if error["type"] == "extra_forbidden":
        # What was found is not said: under a key we do not know it may be a password.
        known = TABLES.get(str(error["loc"][0]), Configuration).model_fields
        return f"{place}: {error['msg']}; known keys: {', '.join(known)}"
    if isinstance(error["input"], dict):
        return f"{place}: {error['msg']}"
    return f"{place}: {error['input']!r}: {error['msg']}"


def variable_of(name: str) -> str:
    """Return the environment variable that sets a value."""
    return f"{PREFIX}{name.upper().replace('.', '_')}"


def _read_toml(file: Path) -> dict[str, Any] | list[str]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        return [f"{file}: {error.strerror}"]
    except UnicodeDecodeError as error:
        return [f"{file}: byte {error.start} is not UTF-8"]
    except tomllib.TOMLDecodeError as error:
        return [f"{file}: {error}"]
