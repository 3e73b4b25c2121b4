"""Topics and names at the doors: which route a payload came by, or why the name is none of ours."""

import re

from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.route_names import is_slug

TOPIC_ROOT = "phusong/v1"
DECISIONS_TOPIC = re.compile(rf"{TOPIC_ROOT}/(?P<operator>[^/]+)/decisions", re.DOTALL)
BATCH_TOPIC = re.compile(
    rf"{TOPIC_ROOT}/(?P<operator>[^/]+)/(?P<source>[^/]*)/batch(?P<json>/json)?", re.DOTALL
)

# What is kept of a name or topic that is none of ours: enough to recognise who sent it.
NAME_LENGTH_MAX = 64
TOPIC_LENGTH_MAX = 256


def decisions_topic(operator: str) -> str:
    """Return the topic on which an operator's decisions go out."""
    return f"{TOPIC_ROOT}/{operator}/decisions"


def operator_of_decisions(topic: str) -> str:
    """Return the operator whose decisions go out on a topic, "" when it is another topic."""
    match = DECISIONS_TOPIC.fullmatch(topic)
    return match["operator"] if match and is_slug(match["operator"]) else ""


def route_of_topic(topic: str, transport: Transport, principal: str = "") -> Route:
    """Return the route of a payload published on a topic; its kind is UNREADABLE when the topic is none of ours."""
    match = BATCH_TOPIC.fullmatch(topic)
    if match is None:
        return Route("", topic[:TOPIC_LENGTH_MAX], principal, transport, PayloadKind.UNREADABLE)
    kind = PayloadKind.BATCH_JSON if match["json"] else PayloadKind.BATCH
    return route_of_names(match["operator"], match["source"], transport, kind, principal)


def route_of_names(
    operator: str,
    source: str,
    transport: Transport,
    kind: PayloadKind = PayloadKind.BATCH,
    principal: str = "",
) -> Route:
    """Return the route of a payload from a named source; UNREADABLE when a name is not allowed."""
    if not (is_slug(operator) and is_slug(source)):
        operator, source = operator[:NAME_LENGTH_MAX], source[:NAME_LENGTH_MAX]
        kind = PayloadKind.UNREADABLE
    return Route(operator, source, principal, transport, kind)
