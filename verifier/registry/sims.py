"""The register of SIMs: who is entitled to free data, from which day until which."""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column

NOT_FOUND = -1


@dataclass(frozen=True, slots=True, eq=False)
class SimRegister:
    """Entitlements by subscriber key, one row a SIM, sorted by key (int64 bits)."""

    subscriber_key: Int64Column
    operator: Int64Column  # place in `operators`
    province: Int64Column  # place in `provinces`
    first_day: Int64Column  # days since 1970-01-01
    last_day: Int64Column  # inclusive
    operators: list[str]
    provinces: list[str]

    def __len__(self) -> int:
        """Return how many SIMs are registered."""
        return len(self.subscriber_key)

    def find(self, subscriber_key: Int64Column) -> Int64Column:
        """Return the rows of keys, NOT_FOUND for those not registered."""
        if not len(self):
            return np.full(len(subscriber_key), NOT_FOUND, np.int64)
        row = np.minimum(np.searchsorted(self.subscriber_key, subscriber_key), len(self) - 1)
        row[self.subscriber_key[row] != subscriber_key] = NOT_FOUND
        return row

    def is_entitled(self, subscriber_key: Int64Column, ict_day: int) -> BoolColumn:
        """Tell for every key whether its SIM has free data on a day."""
        row = self.find(subscriber_key)
        if not len(self):
            return np.zeros(len(row), np.bool_)
        is_within: BoolColumn = (self.first_day[row] <= ict_day) & (ict_day <= self.last_day[row])
        is_within[row == NOT_FOUND] = False
        return is_within

    def operator_of(self, subscriber_key: int) -> str:
        """Return who issued a SIM, "" when it is not registered."""
        row = int(self.find(np.array([subscriber_key], np.int64))[0])
        return "" if row == NOT_FOUND else self.operators[int(self.operator[row])]
