"""What is known of every payload of a frame: whose it is and whether it counts at all; and of every row by itself."""

import numpy as np

from phusong.kernels.admission import BATCH_KINDS, bounds_of_route, refusal_of, refuse_rows
from phusong.kernels.columns import CellReports, Int64Column, SignalReadings, UsageReadings
from phusong.kernels.frame import Transport
from phusong.kernels.grants import principal_of
from phusong.kernels.registers import SourceRegister
from phusong.kernels.reject import TAKEN
from phusong.kernels.screen_cells import screen_cells
from phusong.kernels.screen_signal import screen_signal
from phusong.kernels.screen_usage import screen_usage
from phusong.kernels.windows import SequenceWindows
from phusong.verifier.names import Names
from phusong.verifier.opened import OpenedFrame
from phusong.verifier.placing import PayloadFacts, Readings
from phusong.verifier.tallies import RouteKey, Tallies

# Of a route: source, operator, key, whether it is an import, why it is refused, two rows of bounds.
ROUTE_FACT_COUNT = 7


def judge_payloads(
    opened: OpenedFrame,
    *,
    register: SourceRegister | None,
    sources: Names,
    operators: Names,
    tallies: Tallies,
    windows: SequenceWindows,
) -> PayloadFacts:
    """Return what is known of every payload; write what is refused into `opened`, remember its batches in `windows`.

    register: of sources, in force when the frame arrived.
    """
    payloads = opened.decoded.payloads
    keys: dict[RouteKey, int] = {}
    of_route = np.zeros((len(opened.routes), ROUTE_FACT_COUNT), np.int64)
    for place, route in enumerate(opened.routes):
        if route.kind in BATCH_KINDS:
            refusal = refusal_of(route, register)
            # Names that are refused are not remembered: they are as many as somebody cares to make up.
            is_known = refusal == TAKEN
            of_route[place] = (
                sources.row_of(principal_of(route.operator, route.source)) if is_known else 0,
                operators.row_of(route.operator) if is_known else 0,
                keys.setdefault(tallies.key_of(route, register), len(keys)),
                route.transport == Transport.IMPORT,
                refusal,
                *bounds_of_route(route, register),
            )
    source, operator, key, is_imported, refused, *bound = of_route.T[:, opened.route]
    # What cannot be read is said first, as receipts do.
    payloads.reject[:] = np.where(payloads.reject == TAKEN, refused, payloads.reject)
    is_repeated = np.zeros(len(payloads.reject), np.bool_)
    readable = np.flatnonzero(payloads.reject == TAKEN)
    # A payload that cannot be read claims no sequence: its mended second sending must count.
    untracked = np.zeros(len(readable), np.int64)
    is_repeated[readable] = windows.mark_repeated(
        source[readable], payloads.boot_epoch[readable], payloads.sequence[readable], untracked
    )
    payloads.reject[readable] = untracked
    return PayloadFacts(
        is_repeated=is_repeated,
        is_imported=is_imported != 0,
        has_sequence=payloads.sequence != 0,
        source=source,
        operator=operator,
        key=key,
        keys=list(keys),
        bound=np.stack(bound, axis=1),
        bounds=register.bounds if register is not None else None,
    )


def screened(readings: Readings, facts: PayloadFacts) -> Int64Column:
    """Return why each row does not count by what it says and by who sends it, 0 where nothing speaks against it."""
    reason = np.zeros(len(readings.row), np.int64)
    if not len(reason):
        return reason
    match readings:
        case SignalReadings():
            screen_signal(readings, reason)
        case UsageReadings():
            screen_usage(readings, facts.has_sequence[readings.payload_row], reason)
        case CellReports():
            screen_cells(readings, reason)
    refuse_rows(readings, facts.bound, facts.bounds, reason)
    return reason
