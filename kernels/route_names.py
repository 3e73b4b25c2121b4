"""Names of operators and sources, and what is wrong with a route whose names are none of ours.

Doors and verifier both ask, so that a receipt and a count give the same reason.
"""

import re

from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.reject import TAKEN, Reject

# The rule of telemetry.proto for operators and sources.
SLUG = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)

# Metric labels are for Prometheus, which keeps a series for each: operators past these are counted as "other".
LABEL_OPERATOR_COUNT_MAX = 64
OPERATOR_OTHER = "other"


# Kinds whose names may be anything: whoever makes names up shall not make counts of their own.
NAMELESS_KINDS = (PayloadKind.UNREADABLE, PayloadKind.OVERSIZED)


def is_slug(name: str) -> bool:
    """Tell whether a name may be an operator or a source."""
    return SLUG.fullmatch(name) is not None


def refusal_of_route(route: Route) -> int:
    """Return why everything that came by a route is refused, TAKEN when it is not."""
    if route.kind == PayloadKind.OVERSIZED:
        return Reject.TOO_LARGE
    if route.kind != PayloadKind.UNREADABLE:
        return TAKEN
    if not route.operator and route.transport in (Transport.MQTT, Transport.MQTT_BROKER):
        return Reject.BAD_TOPIC
    return Reject.BAD_SOURCE if is_slug(route.operator) else Reject.BAD_OPERATOR
