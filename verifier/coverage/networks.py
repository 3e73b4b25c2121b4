"""Whose network a reading speaks of: the one that was built, not the one that sold the SIM.

An operator is known in the state by a 64-bit key of its slug (`text_hash`), which means the same in every
process and whatever was seen first; `Names` turns it back into a word.
"""

import numpy as np

from phusong.kernels.columns import Int64Column, SignalReadings
from phusong.kernels.identity import KeyTable
from phusong.kernels.plmn import operator_of
from phusong.kernels.radio import SERVICE_IN, SERVICE_UNSPECIFIED
from phusong.kernels.wire.text import text_hash
from phusong.verifier.names import Names

OPERATOR_UNKNOWN = 0  # the hash of ""


def operator_keys(operators: Names) -> Int64Column:
    """Return the key of every operator, by row of `operators`."""
    return np.array([text_hash(text) for text in operators.texts], np.int64)


def operator_names(operators: Names) -> dict[int, str]:
    """Return the slug behind each key."""
    return {text_hash(text): text for text in operators.texts}


class Networks:
    """Remembers which operator stands behind a PLMN."""

    def __init__(self) -> None:
        """Start knowing none."""
        self._plmns = KeyTable(1)
        self._operator_of: list[str] = []
        self._named_in: Names | None = None  # whose rows the operators were given, and how many
        self._named_count = 0

    def operators_of(
        self, readings: SignalReadings, route_operator: Int64Column, operators: Names
    ) -> Int64Column:
        """Return the key of the operator each reading speaks of, OPERATOR_UNKNOWN where nothing says.

        In service: the serving network, else the route's operator. Without service there is no serving network:
        then the SIM's own, else the route's. New operators get a row in `operators`.
        """
        served = np.isin(readings.service_state, (SERVICE_UNSPECIFIED, SERVICE_IN))
        plmn_row = self._plmns.rows_of(np.where(served, readings.serving_plmn, readings.sim_plmn))
        for plmn in self._plmns.keys[len(self._operator_of) :, 0].tolist():
            self._operator_of.append(operator_of(plmn))
        if self._named_in is not operators or len(self._operator_of) > self._named_count:
            for text in self._operator_of:
                operators.row_of(text)
            self._named_in, self._named_count = operators, len(self._operator_of)
        key_of_plmn = np.array([text_hash(text) for text in self._operator_of], np.int64)
        key = key_of_plmn[plmn_row]
        is_unsaid = key == OPERATOR_UNKNOWN
        if is_unsaid.any():
            key[is_unsaid] = operator_keys(operators)[route_operator[is_unsaid]]
        return key
