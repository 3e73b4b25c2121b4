"""Whether a route may be used: by the credential it came with, and by the source it names."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phusong.kernels.admission import bounds_of_route, refusal_of
from phusong.kernels.frame import PayloadKind, Route, Transport
from phusong.kernels.grants import ROW_KINDS, Grant, topic_matches
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import Reject, reason_name
from phusong.v1.ingest_pb2 import RowKind
from reference import grants as reference

TOKEN = (b"\1" * 32,)
OPERATORS = ["viettel", "mobifone"]
SOURCES = ["a", "b", "gateway"]
FILTERS = [
    "phusong/v1/{}/#",
    "phusong/v1/{}/+/batch",
    "phusong/v1/{}/+/batch/json",
    "phusong/v1/{}/a/batch/#",
    "phusong/v1/{}/b/+",
    "phusong/v1/{}/+/+/+",
]

names = st.tuples(st.sampled_from(OPERATORS), st.sampled_from(SOURCES))


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    operator, source = draw(names)
    filters = draw(st.lists(st.sampled_from(FILTERS), max_size=2))
    return {
        "operator": operator,
        "source": source,
        "token_sha256": draw(st.sampled_from([(), TOKEN])),
        "certificate_sha256": draw(st.sampled_from([(), TOKEN])),
        "topics": tuple(pattern.format(operator) for pattern in filters),
        "row_kinds": draw(st.sampled_from([(), ("usage",)])),
    }


registers = st.none() | st.lists(
    lines(), max_size=5, unique_by=lambda line: (line["operator"], line["source"])
)
routes = st.builds(
    lambda name, principal, transport, kind: Route(*name, principal, transport, kind),
    names,
    st.just("") | names.map("/".join),
    st.sampled_from(Transport),
    st.sampled_from([PayloadKind.BATCH, PayloadKind.BATCH_JSON]),
)


def register_of(found: list[dict[str, Any]] | None) -> SourceRegister | None:
    return None if found is None else SourceRegister(tuple(Grant(**line) for line in found))


def route(
    source: str = "a",
    principal: str = "",
    operator: str = "viettel",
    transport: Transport = Transport.MQTT,
    kind: PayloadKind = PayloadKind.BATCH,
) -> Route:
    return Route(operator, source, principal, transport, kind)


@settings(deadline=None, max_examples=500)
@given(registers, routes)
def test_matches_the_reference(found: list[dict[str, Any]] | None, route: Route) -> None:
    expected = reference.route_refusal(
        None if found is None else reference.grants(*found), **route._asdict()
    )

    assert reason_name(refusal_of(route, register_of(found))) == expected


@settings(deadline=None)
@given(registers, routes, st.randoms())
def test_the_order_of_the_lines_does_not_matter(
    found: list[dict[str, Any]] | None, route: Route, rng: Any
) -> None:
    shuffled = None if found is None else rng.sample(found, len(found))

    assert refusal_of(route, register_of(shuffled)) == refusal_of(route, register_of(found))


REGISTER = SourceRegister(
    (
        Grant("viettel", "a", token_sha256=TOKEN),
        Grant("viettel", "b", certificate_sha256=TOKEN, row_kinds=("usage",)),
        Grant("viettel", "plain"),
        Grant("viettel", "gateway", topics=("phusong/v1/viettel/+/batch",), sites=("HN-1",)),
        Grant("mobifone", "a"),
    )
)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (route("a", "viettel/a"), "TAKEN"),
        (route("a", "viettel/a", kind=PayloadKind.BATCH_JSON), "TAKEN"),
        (route("b", "viettel/a"), "TOPIC_FORBIDDEN"),
        (route("b", "viettel/gateway"), "TAKEN"),
        (route("b", "viettel/gateway", transport=Transport.GRPC), "TAKEN"),
        (route("b", "viettel/gateway", kind=PayloadKind.BATCH_JSON), "TOPIC_FORBIDDEN"),
        (route("stranger", "viettel/gateway"), "UNKNOWN_SOURCE"),
        (route("a", "viettel/a", operator="mobifone"), "OPERATOR_FORBIDDEN"),
        (route("a", "viettel/gone"), "CREDENTIAL_UNKNOWN"),
        (route("a"), "CREDENTIAL_MISSING"),
        (route("b", transport=Transport.MQTT_BROKER), "CREDENTIAL_MISSING"),
        (route("b", transport=Transport.GRPC), "CREDENTIAL_MISSING"),
        (route("plain"), "TAKEN"),
        (route("stranger"), "UNKNOWN_SOURCE"),
        (route("a", transport=Transport.IMPORT), "TAKEN"),
        (route("stranger", transport=Transport.IMPORT), "UNKNOWN_SOURCE"),
        (route("stranger", transport=Transport.SERVICE), "TAKEN"),
        (route("", "viettel/a", kind=PayloadKind.UNREADABLE), "BAD_SOURCE"),
        (route("a", "viettel/gone", kind=PayloadKind.OVERSIZED), "TOO_LARGE"),
        (route("a", kind=PayloadKind.DECISION), "TAKEN"),
    ],
)
def test_a_refusal_names_the_first_rule_that_is_broken(sent: Route, reason: str) -> None:
    assert reason_name(refusal_of(sent, REGISTER)) == reason


def test_while_there_is_no_register_everything_well_formed_is_taken() -> None:
    assert refusal_of(route("stranger", "viettel/a"), None) == 0


def test_a_source_behind_a_gateway_is_bounded_by_both_lines() -> None:
    gateway, own = REGISTER.bound_of("viettel/gateway"), REGISTER.bound_of("viettel/b")

    assert gateway != own
    assert bounds_of_route(route("b", "viettel/gateway"), REGISTER) == (gateway, own)
    assert bounds_of_route(route("b", "viettel/b"), REGISTER) == (own, 0)
    assert bounds_of_route(route("a", "viettel/a"), REGISTER) == (0, 0)
    assert bounds_of_route(route("b"), REGISTER) == (0, own)
    assert bounds_of_route(route("b", transport=Transport.IMPORT), REGISTER) == (0, 0)
    assert bounds_of_route(route("b"), None) == (0, 0)


levels = st.sampled_from(["a", "b", "", "+", "#"])


@given(st.lists(levels, min_size=1, max_size=4), st.lists(levels, min_size=1, max_size=4))
def test_topic_filters_match_as_mqtt_says(wanted: list[str], found: list[str]) -> None:
    pattern = "/".join([level for level in wanted[:-1] if level != "#"] + wanted[-1:])
    topic = "/".join(level for level in found if level not in "+#")

    assert topic_matches(pattern, topic) == reference.matches(pattern, topic)


def test_the_words_for_kinds_of_rows_are_those_of_the_wire() -> None:
    assert ROW_KINDS == {
        "signal": RowKind.ROW_KIND_SIGNAL,
        "usage": RowKind.ROW_KIND_USAGE,
        "cells": RowKind.ROW_KIND_CELL,
    }


def test_forbidding_is_about_payloads_below_100_and_about_rows_above() -> None:
    assert Reject.OPERATOR_FORBIDDEN < 100 <= Reject.ROW_KIND_FORBIDDEN < 200
