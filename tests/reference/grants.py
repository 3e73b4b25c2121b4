"""Who may send what, rule by rule, over plain dictionaries. Shares no code with the product."""

import re
from typing import Any, NamedTuple

NETWORK = {1, 2, 3}  # journal.proto: MQTT, MQTT_BROKER, GRPC
SERVICE = 5
BATCH, BATCH_JSON = 1, 2
KEY_COUNT = 2**64


class Row(NamedTuple):
    """One row of a batch: its kind, and the subscriber key or site code that its kind has."""

    kind: str
    subscriber_key: int = 0
    site: str = ""


def grants(*lines: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{line['operator']}/{line['source']}": line for line in lines}


def route_refusal(
    register: dict[str, dict[str, Any]] | None,
    *,
    operator: str,
    source: str,
    principal: str,
    transport: int,
    kind: int,
) -> str:
    if register is None or transport == SERVICE:
        return "TAKEN"
    named = register.get(f"{operator}/{source}")
    rules: list[tuple[str, bool]] = []
    if transport in NETWORK and principal:
        grant = register.get(principal)
        if grant is None:
            return "CREDENTIAL_UNKNOWN"
        topic = f"phusong/v1/{operator}/{source}/batch" + ("/json" if kind == BATCH_JSON else "")
        own = f"phusong/v1/{grant['operator']}/{grant['source']}/#"
        filters = grant.get("topics") or [own]
        rules += [
            ("OPERATOR_FORBIDDEN", grant["operator"] != operator),
            ("TOPIC_FORBIDDEN", not any(matches(one, topic) for one in filters)),
        ]
    rules.append(("UNKNOWN_SOURCE", named is None))
    if transport in NETWORK and not principal and named:
        has_credential = bool(named.get("token_sha256") or named.get("certificate_sha256"))
        rules.append(("CREDENTIAL_MISSING", has_credential))
    return next((reason for reason, is_broken in rules if is_broken), "TAKEN")


def matches(pattern: str, topic: str) -> bool:
    expression = "/".join(
        "[^/]*" if level == "+" else re.escape(level) for level in pattern.split("/")
    )
    if pattern == "#":
        return True
    if pattern.endswith("/#"):
        expression = expression.removesuffix("/" + re.escape("#")) + "(/.*)?"
    return re.fullmatch(expression, topic, re.DOTALL) is not None


def row_refusal(row: Row, *bounding: dict[str, Any] | None) -> str:
    """Return why a row may not be sent under any of the lines that bound it."""
    for line in bounding:
        if line is None:
            continue
        if line.get("row_kinds") and row.kind not in line["row_kinds"]:
            return "ROW_KIND_FORBIDDEN"
        if row.kind == "cells" and line.get("sites") and row.site not in line["sites"]:
            return "SITE_FORBIDDEN"
        if row.kind == "usage":
            key = row.subscriber_key % KEY_COUNT
            first = line.get("subscriber_first", 0)
            last = line.get("subscriber_last", KEY_COUNT - 1)
            if not first <= key <= last:
                return "SUBSCRIBER_FORBIDDEN"
    return "TAKEN"
