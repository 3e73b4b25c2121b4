"""What a gRPC call says before its payload is taken: who calls, and by which route. No gRPC here."""

import ssl
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar
from urllib.parse import unquote

import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message
from google.rpc.code_pb2 import RESOURCE_EXHAUSTED
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from phusong.collector.admission.doorkeeper import Shown
from phusong.collector.topics import route_of_names
from phusong.collector.traces import TRACEPARENT
from phusong.kernels.batch_names import batch_names
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.grants import principal_of
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN
from phusong.kernels.wire.decode import decode_payloads
from phusong.v1.reservation_pb2 import ReserveRequest

CERTIFICATE = "x509_pem_cert"  # what gRPC calls the client certificate it has verified


Request = TypeVar("Request", bound=Message)


class Call(Protocol):
    """What is asked of a call: grpc.aio.ServicerContext, which ships no types."""

    def peer(self) -> str:
        """Return the other end."""

    def invocation_metadata(self) -> Iterable[tuple[str, str]] | None:
        """Return what the caller sent besides."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Return what TLS found out."""


def shown(call: Call) -> Shown:
    """Return what a caller shows of itself."""
    token = token_in(call.invocation_metadata())
    certificate = b""
    if not token:
        for pem in call.auth_context().get(CERTIFICATE, ()):
            certificate = ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
    return Shown(peer_address(call.peer()), token, certificate=certificate)


def token_in(metadata: Iterable[tuple[str, str]] | None) -> str:
    """Return the bearer token in a call's metadata, "" when there is none."""
    token = ""
    for key, value in metadata or ():
        scheme, _, rest = value.partition(" ") if key == "authorization" else ("", "", "")
        if scheme.lower() == "bearer":
            token = rest.strip()
    return token


def traceparents_in(metadata: Iterable[tuple[str, str]] | None) -> list[str]:
    """Return every trace context in a call's metadata."""
    return [value for key, value in metadata or () if key == TRACEPARENT]


def authority(host: str) -> str:
    """Return a host as an address has it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def peer_address(peer: str) -> str:
    """Return the address in what gRPC calls a peer: ipv4:127.0.0.1:5000 or ipv6:%5B::1%5D:5000."""
    _, _, rest = unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]")


def route_of_payload(payload: bytes, principal: str) -> Route:
    """Return the route of a batch by the names in it."""
    names = batch_names(payload)
    route = route_of_names(
        names.operator, names.source, Transport.GRPC, PayloadKind.BATCH, principal
    )
    if route.kind == PayloadKind.UNREADABLE and _refusal_of(payload) != TAKEN:
        # Nobody's batch because it cannot be read at all: that is the reason worth telling, and the names are junk.
        return Route("", "", principal, Transport.GRPC, PayloadKind.BATCH)
    return route


def parsed(request: Request, message: bytes) -> Request:
    """Fill a request from bytes; what is none asks for nothing in nobody's name, and is refused for that.

    gRPC itself would call it an INTERNAL error.
    """
    try:
        request.ParseFromString(message)
    except DecodeError:
        request.Clear()
    return request


def may_reserve(request: ReserveRequest, principal: str, register: SourceRegister | None) -> bool:
    """Tell whether a caller may reserve in the name of a source: its own, which is registered where a register is in force."""
    source = principal_of(request.operator, request.source)
    if principal:
        return principal == source
    grant = None if register is None else register.of_principal(source)
    return register is None or (grant is not None and not grant.has_credential)


def retry_metadata(message: str, retry_ms: int) -> tuple[tuple[str, bytes], ...]:
    """Return what google.rpc adds to RESOURCE_EXHAUSTED: when to come again."""
    delay = Duration()
    delay.FromMilliseconds(retry_ms)
    detail = AnyMessage()
    detail.Pack(RetryInfo(retry_delay=delay))
    status = Status(code=RESOURCE_EXHAUSTED, message=message, details=[detail])
    return (("grpc-status-details-bin", status.SerializeToString()),)


def _refusal_of(payload: bytes) -> int:
    """Return why a payload as a whole cannot be read, TAKEN when it can."""
    buffer = np.frombuffer(bytearray(payload), np.uint8)
    offset, length = np.zeros(1, np.int64), np.array([len(payload)], np.int64)
    return int(decode_payloads(buffer, offset, length).payloads.reject[0])
