"""Numbers for routes, and columns of what is true of everything that comes by a route."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from phusong.collector.topics import TOPIC_LENGTH_MAX
from phusong.kernels.admission import bounds_of_route, label_operator, refusal_of
from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.frame import PayloadKind, Route, Transport, encode_route
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN
from phusong.kernels.route_names import (
    LABEL_OPERATOR_COUNT_MAX,
    OPERATOR_OTHER,
)
from phusong.kernels.wire.text import text_hash

# About 1 KiB each: a million SIMs that send for themselves, four times over.
ROUTE_COUNT_MAX = 1 << 22
# Of one sender by one transport: names it may not use, or that are none. Enough to find out what is wrong with a fleet of
# devices, 4 MiB; what comes under further ones is kept and refused without them.
REFUSED_ROUTE_COUNT_MAX = 1 << 12


class TooManyRoutes(Exception):
    """No number is left for a new route."""


class RouteTable:
    """All routes met by this process. `number` is called on the loop, the columns are read by the worker."""

    def __init__(self) -> None:
        """Start empty, with every source admitted."""
        self.routes: list[Route] = []
        self.labels: list[tuple[int, str]] = []
        self.identities: list[tuple[str, str]] = []
        # The register in force: None while every source is taken.
        self.register: SourceRegister | None = None
        self._refused_count: Counter[tuple[str, int]] = Counter()  # by principal and transport
        self._when_registered: list[Callable[[SourceRegister | None], None]] = []
        # The loop adds routes while the worker judges them all again: neither may miss what the other does.
        self._filling = threading.Lock()
        self._number_of: dict[Route, int] = {}
        self._label_of: dict[tuple[int, str], int] = {}
        self._identity_of: dict[tuple[str, str], int] = {}
        self._encoded: list[bytes] = []
        # int64[capacity], one row per route; see `_fill`.
        self.kind = np.zeros(64, np.int64)
        self.source = np.zeros(64, np.int64)
        self.identity = np.zeros(64, np.int64)
        self.label = np.zeros(64, np.int64)
        self.reject = np.zeros(64, np.int64)
        self.is_imported = np.zeros(64, np.bool_)
        self.bound = np.zeros(
            (64, 2), np.int64
        )  # rows of the register's bounds, see `bounds_of_route`

    def number(self, route: Route) -> int:
        """Return the number of a route, counted from 1. Raises TooManyRoutes.

        Of a sender with too many refused names it is that of a route without names, see `kept_route`.
        """
        number = self._number_of.get(route)
        if number is None:
            route = self.kept_route(route)
            number = self._number_of.get(route)
        if number is None:
            if len(self.routes) >= ROUTE_COUNT_MAX:
                raise TooManyRoutes(f"{ROUTE_COUNT_MAX} routes are in use")
            number = len(self.routes) + 1
            encoded = encode_route(number, route)
            with self._filling:
                self._reserve(number + 1)
                self._fill(number, route)
                self.routes.append(route)
            self._encoded.append(encoded)
            self._number_of[route] = number
        return number

    def kept_route(self, route: Route) -> Route:
        """Return the route under which a new one is kept: itself, or one without names once there are too many refused."""
        if refusal_of(route, self.register) == TAKEN:
            return route
        sender = (route.principal, route.transport)
        if self._refused_count[sender] < REFUSED_ROUTE_COUNT_MAX:
            self._refused_count[sender] += 1
            return route
        is_oversized = route.kind == PayloadKind.OVERSIZED
        kind = PayloadKind.OVERSIZED if is_oversized else PayloadKind.UNREADABLE
        return route._replace(operator="", source="", kind=kind)

    def may_remember(self, topic: str | bytes, route: Route, number: int) -> bool:
        """Tell whether a door may keep the number of a topic: names without end are not kept, nor may be admitted later."""
        return len(topic) <= TOPIC_LENGTH_MAX and self.routes[number - 1] == route

    def encoded(self, number: int) -> bytes:
        """Return the bytes of a route in the body of a frame."""
        return self._encoded[number - 1]

    def identity_number(self, operator: str, source: str) -> int:
        """Return the number under which a source's sequences are remembered, whatever transport it uses."""
        return _dense((operator, source), self._identity_of, self.identities)

    def admit(self, register: SourceRegister | None) -> None:
        """Change who may send what, as a register in the journal says; None for everybody everything."""
        with self._filling:
            self.register = register
            for number, route in enumerate(self.routes, start=1):
                self._judge(number, route)
        for callback in self._when_registered:
            callback(register)

    def call_on_register(self, callback: Callable[[SourceRegister | None], None]) -> None:
        """Call back with each new register, on the thread that admits it: the committer's."""
        self._when_registered.append(callback)

    def _fill(self, number: int, route: Route) -> None:
        self.kind[number] = route.kind
        self.source[number] = text_hash(route.source)
        self.is_imported[number] = route.transport == Transport.IMPORT
        self._judge(number, route)

    def _judge(self, number: int, route: Route) -> None:
        self.reject[number] = refusal_of(route, self.register)
        if self.reject[number] == TAKEN:
            # Only then: names that are refused are as many as somebody cares to make up, and this is kept for ever.
            self.identity[number] = self.identity_number(route.operator, route.source)
        self.bound[number] = bounds_of_route(route, self.register)
        label = (route.transport, label_operator(route, self.register))
        if label not in self._label_of and len(self.labels) >= LABEL_OPERATOR_COUNT_MAX:
            label = (route.transport, OPERATOR_OTHER)
        self.label[number] = _dense(label, self._label_of, self.labels)

    def _reserve(self, count: int) -> None:
        if count <= len(self.kind):
            return
        self.kind, self.source = _doubled(self.kind), _doubled(self.source)
        self.identity, self.label = _doubled(self.identity), _doubled(self.label)
        self.reject, self.bound = _doubled(self.reject), _doubled(self.bound)
        self.is_imported = _doubled(self.is_imported)


Column = TypeVar("Column", Int64Column, BoolColumn)


def _doubled(column: Column) -> Column:
    return np.concatenate((column, np.zeros_like(column)))


Key = TypeVar("Key")


def _dense(key: Key, number_of: dict[Key, int], keys: list[Key]) -> int:
    number = number_of.get(key)
    if number is None:
        number = number_of[key] = len(keys)
        keys.append(key)
    return number
