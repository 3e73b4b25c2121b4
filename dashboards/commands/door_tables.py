"""The `[tls]` and `[limits]` tables of the configuration: how the doors are shut, and how much they let through."""

import ipaddress
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from phusong.collector.admission.limits import DEFAULT_LIMITS, Limits
from phusong.collector.admission.tls import Demand, Tls, TlsOptions, TlsUnusable
from phusong.collector.admission.tls_files import Flaw, flaws_of
from phusong.dashboards.commands.exits import Unusable
from phusong.dashboards.commands.options import now_ms

DAY_S = 86_400
# Of open files, for what is not an MQTT connection: gRPC, HTTP, segments and their copies, the verifier.
DESCRIPTOR_RESERVE = 1024
UINT16_MAX = 65_535  # of MQTT's keep-alive


class TlsTable(BaseModel):
    """TLS for MQTT, gRPC and HTTP."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certificate_file: Path = Field(
        description="PEM: the certificate of this service, then those between it and a CA that clients know."
    )
    key_file: Path = Field(description="PEM, not encrypted, readable by this user only.")
    client_ca_file: Path | None = Field(
        None, description="PEM of who signs the certificates of clients; turns mutual TLS on."
    )
    mqtt_client_certificate: Demand = Field(Demand.OPTIONAL, description="With client_ca_file.")
    grpc_client_certificate: Demand = Field(
        Demand.NONE, description="With client_ca_file: none or required."
    )
    http_client_certificate: Demand = Field(Demand.NONE, description="With client_ca_file.")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.grpc_client_certificate is Demand.OPTIONAL:
            raise ValueError("grpc_client_certificate is none or required: gRPC has no optional")
        asked = (self.grpc_client_certificate, self.http_client_certificate)
        if self.client_ca_file is None and asked != (Demand.NONE, Demand.NONE):
            raise ValueError("a client certificate is demanded without client_ca_file")
        return self


class LimitsTable(BaseModel):
    """What the doors allow; collector/admission/limits.py says why it is so much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: int = Field(
        DEFAULT_LIMITS.connections, ge=1, description="MQTT connections in all."
    )
    connections_per_peer: int = Field(
        DEFAULT_LIMITS.connections_per_peer, ge=1, description="MQTT connections of one address."
    )
    connections_per_source: int = Field(
        DEFAULT_LIMITS.connections_per_source,
        ge=1,
        description="MQTT connections and open gRPC streams of one credential.",
    )
    connects_per_s_per_peer: int = Field(
        DEFAULT_LIMITS.connects_per_s_per_peer,
        ge=0,
        description="New connections of one address; 0: no limit.",
    )
    bytes_per_s_per_source: int = Field(
        DEFAULT_LIMITS.bytes_per_s_per_source,
        ge=0,
        description="Of one credential, or address without one; 0: no limit.",
    )
    payloads_per_s_per_source: int = Field(
        DEFAULT_LIMITS.payloads_per_s_per_source, ge=0, description="Likewise."
    )
    http_connections: int = Field(DEFAULT_LIMITS.http_connections, ge=1)
    keep_alive_max_s: int = Field(
        DEFAULT_LIMITS.keep_alive_max_s,
        ge=1,
        le=UINT16_MAX,
        description="MQTT keep-alive imposed on clients that want none or a longer one.",
    )
    packet_timeout_s: float = Field(
        DEFAULT_LIMITS.packet_timeout_s,
        gt=0,
        le=DAY_S,
        description="A packet begun is whole, and answers are read, by then.",
    )
    hello_timeout_s: float = Field(
        DEFAULT_LIMITS.hello_timeout_s,
        gt=0,
        le=DAY_S,
        description="For the handshake of TLS, and again for CONNECT.",
    )


def is_open_to_network(host: str) -> bool:
    """Tell whether doors on an address can be reached from other machines."""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def limits_of(table: LimitsTable) -> Limits:
    """Return the limits of a configuration."""
    return Limits(**table.model_dump())


def tls_of(table: TlsTable | None) -> Tls | None:
    """Return what the doors shake hands with. Raises Unusable when a file cannot be used."""
    if table is None:
        return None
    try:
        return Tls(tls_options(table), now_ms)
    except TlsUnusable as unusable:
        raise Unusable(f"tls: {unusable}") from unusable


def tls_options(table: TlsTable) -> TlsOptions:
    """Return the files and demands of a configuration."""
    return TlsOptions(**table.model_dump())


def tls_flaws(table: TlsTable | None) -> list[Flaw]:
    """Return what is wrong with the files of TLS now."""
    if table is None:
        return []
    return flaws_of(table.certificate_file, table.key_file, table.client_ca_file, now_ms())
