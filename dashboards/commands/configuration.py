"""The configuration of `phusong serve`: flags over PHUSONG_* over TOML over defaults, and where each value came from."""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phusong.verifier.quota.settings import QUOTA_BYTES_DEFAULT

PORT_MAX = 65_535
MQTT_PORT = 1883
GRPC_PORT = 4317 + 1  # beside OpenTelemetry's, which may run on the same host
HTTP_PORT = 9464


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
    clock_start: str | None = Field(
        None,
        description="Rehearsals only: the service's clock starts here, 2021-12-20T07:00+07:00.",
    )
    quota_bytes: int = Field(
        QUOTA_BYTES_DEFAULT, ge=1, le=2**62, description="Free volume a day: 4·2³⁰ or 4·10⁹."
    )


class Layered:
    """A configuration, and where each of its values came from."""

    def __init__(self, configuration: Configuration, origin: dict[str, str]) -> None:
        """Keep both."""
        self.configuration = configuration
        self.origin = origin


def read_configuration(file: Path | None, flags: dict[str, Any]) -> Layered | list[str]:
    """Return the configuration, or every error in it: key, what was found, what was expected.

    `flags` holds what the command line gave; None is "not given".
    """
    toml = {} if file is None else _read_toml(file)
    if isinstance(toml, list):
        return toml
    env = {
        name: os.environ[variable_of(name)]
        for name in Configuration.model_fields
        if variable_of(name) in os.environ
    }
    given = {name: value for name, value in flags.items() if value is not None}
    origin = dict.fromkeys(Configuration.model_fields, "default")
    origin |= dict.fromkeys(toml, str(file))
    origin |= {name: variable_of(name) for name in env}
    origin |= {name: f"--{name.replace('_', '-')}" for name in given}
    try:
        configuration = Configuration(**(toml | env | given))
    except ValidationError as errors:
        return [
            f"{'.'.join(map(str, error['loc']))} ({origin.get(str(error['loc'][0]), '?')}):"
            f" {error['input']!r}: {error['msg']}; known keys: {', '.join(Configuration.model_fields)}"
            for error in errors.errors()
        ]
    return Layered(configuration, origin)


def variable_of(name: str) -> str:
    """Return the environment variable that sets a value."""
    return f"PHUSONG_{name.upper()}"


def _read_toml(file: Path) -> dict[str, Any] | list[str]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        return [f"{file}: {error.strerror}"]
    except UnicodeDecodeError as error:
        return [f"{file}: byte {error.start} is not UTF-8"]
    except tomllib.TOMLDecodeError as error:
        return [f"{file}: {error}"]
