"""What is known of every payload of a frame before its rows are looked at: whose it is, and whether it counts at all."""

import numpy as np

from phusong.kernels.frame import Transport
from phusong.kernels.reject import TAKEN, Reject
from phusong.kernels.windows import SequenceWindows
from phusong.verifier.names import Names
from phusong.verifier.opened import BATCH_KINDS, OpenedFrame
from phusong.verifier.placing import PayloadFacts
from phusong.verifier.registry.known import KnownRegistries
from phusong.verifier.tallies import RouteKey, Tallies

# Of a route: source, operator, key, whether it is an import, whether its source is unknown.
ROUTE_FACT_COUNT = 5


def judge_payloads(
    opened: OpenedFrame,
    *,
    registries: KnownRegistries,
    sources: Names,
    operators: Names,
    tallies: Tallies,
    windows: SequenceWindows,
) -> PayloadFacts:
    """Return what is known of every payload; write what is refused into `opened`, remember its batches in `windows`."""
    payloads = opened.decoded.payloads
    keys: dict[RouteKey, int] = {}
    of_route = np.zeros((len(opened.routes), ROUTE_FACT_COUNT), np.int64)
    for place, route in enumerate(opened.routes):
        if route.kind in BATCH_KINDS:
            # Slugs hold no "/", so the joined text is one source of one operator and no other.
            of_route[place] = (
                sources.row_of(f"{route.operator}/{route.source}"),
                operators.row_of(route.operator),
                keys.setdefault(tallies.key_of(route), len(keys)),
                route.transport == Transport.IMPORT,
                not registries.knows_source(route, opened.frame.sequence),
            )
    columns = of_route.T
    source, operator, key, is_imported, is_unknown = columns[:, opened.route]
    payloads.reject[(is_unknown != 0) & (payloads.reject == TAKEN)] = Reject.UNKNOWN_SOURCE
    is_repeated = np.zeros(len(payloads.reject), np.bool_)
    readable = np.flatnonzero(payloads.reject == TAKEN)
    # A payload that cannot be read claims no sequence: its mended second sending must count.
    is_repeated[readable] = windows.mark_repeated(
        source[readable], payloads.boot_epoch[readable], payloads.sequence[readable]
    )
    return PayloadFacts(
        is_repeated=is_repeated,
        is_imported=is_imported != 0,
        has_sequence=payloads.sequence != 0,
        source=source,
        operator=operator,
        key=key,
        keys=list(keys),
    )
