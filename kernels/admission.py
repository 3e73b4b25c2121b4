"""Whether what came by a route may be counted, by the register in force: of a route, and of the rows it brought.

Receipts of the collector and counts of the verifier both ask here, so they say the same. What comes from a file, or
from the service itself, was put there by somebody who may write the data folder: no credential is asked of it.
"""

from typing import TypeVar

from phusong.kernels.columns import CellReports, Int64Column, SignalReadings, UsageReadings
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.grants import Grant, batch_topic, principal_of
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.route_names import NAMELESS_KINDS, refusal_of_route
from phusong.kernels.row_bounds import (
    CELLS,
    SIGNAL,
    USAGE,
    RowBounds,
    refuse_kind,
    refuse_sites,
    refuse_subscribers,
)

BATCH_KINDS = (PayloadKind.BATCH, PayloadKind.BATCH_JSON)
NETWORK = (Transport.MQTT, Transport.MQTT_BROKER, Transport.GRPC)

Rows = TypeVar("Rows", SignalReadings, UsageReadings, CellReports)


def refusal_of(route: Route, register: SourceRegister | None) -> int:
    """Return why everything that came by a route is refused, TAKEN when it is not; None: every source is taken.

    First what is wrong with its names, then with who sent it, then with the source it is said to be from.
    """
    if route.kind not in BATCH_KINDS:
        return refusal_of_route(route)
    if register is None or route.transport == Transport.SERVICE:
        return TAKEN
    is_network = route.transport in NETWORK
    if is_network and route.principal:
        refusal = _refusal_of_sender(route, register.of_principal(route.principal))
        if refusal != TAKEN:
            return refusal
    source = register.of_principal(principal_of(route.operator, route.source))
    if source is None:
        return Reject.UNKNOWN_SOURCE
    if is_network and not route.principal and source.has_credential:
        return Reject.CREDENTIAL_MISSING
    return TAKEN


def _refusal_of_sender(route: Route, grant: Grant | None) -> int:
    if grant is None:
        return Reject.CREDENTIAL_UNKNOWN
    if grant.operator != route.operator:
        return Reject.OPERATOR_FORBIDDEN
    # By gRPC there is no topic: it counts as the one the batch would have been published on.
    is_json = route.kind == PayloadKind.BATCH_JSON
    topic = batch_topic(route.operator, route.source, is_json=is_json)
    return TAKEN if grant.may_publish(topic) else Reject.TOPIC_FORBIDDEN


def label_operator(route: Route, register: SourceRegister | None) -> str:
    """Return the operator by which a route is counted, "" for a name that may be made up."""
    if route.kind in NAMELESS_KINDS:
        return ""
    is_known = register is None or route.operator in register.operators
    return route.operator if is_known else ""


def bounds_of_route(route: Route, register: SourceRegister | None) -> tuple[int, int]:
    """Return which rows of the register's bounds hold for what came by a route, 0 for none.

    Both do: those of the credential it was sent with, and those of the source it is from, so that a source behind a
    gateway or a broker is bounded as its own line says.
    """
    if register is None or route.kind not in BATCH_KINDS or route.transport not in NETWORK:
        return 0, 0
    own = register.bound_of(principal_of(route.operator, route.source))
    sender = register.bound_of(route.principal) if route.principal else 0
    return sender, own if own != sender else 0


def refuse_rows(
    rows: Rows, bound: Int64Column, bounds: RowBounds | None, reason: Int64Column
) -> None:
    """Write why rows may not be sent, for those whose reason is still 0.

    bound: int64[payload, 2] of `bounds_of_route`, for the payloads that `rows.payload_row` points into.
    bounds: of the register in force, None where there is none or it bounds nobody.
    """
    if bounds is None:
        return
    for column in bound.T:
        if not column.any():
            continue
        of_row = column[rows.payload_row]
        if isinstance(rows, SignalReadings):
            refuse_kind(of_row, SIGNAL, bounds, reason)
        elif isinstance(rows, UsageReadings):
            refuse_kind(of_row, USAGE, bounds, reason)
            refuse_subscribers(of_row, rows.subscriber_key, bounds, reason)
        else:
            refuse_kind(of_row, CELLS, bounds, reason)
            refuse_sites(of_row, rows.site_code, bounds, reason)
