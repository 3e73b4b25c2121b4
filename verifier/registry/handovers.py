"""Computers given to pupils: records that start entitlements and count toward the programme's targets."""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.verifier.registry.sims import NOT_FOUND, SimRegister

NO_PHASE = 0


@dataclass(frozen=True, slots=True, eq=False)
class Handovers:
    """One row a pupil's SIM, sorted by key (int64 bits)."""

    subscriber_key: Int64Column
    day: Int64Column  # since 1970-01-01
    last_day: Int64Column  # of the entitlement it starts, inclusive
    phase: Int64Column  # NO_PHASE where the record names none
    province: Int64Column  # place in `provinces`
    provinces: list[str]

    def __len__(self) -> int:
        """Return how many computers were given."""
        return len(self.subscriber_key)


def joined_handovers(files: list[Handovers]) -> Handovers:
    """Return the records of all files; a later record of the same key takes the place of an earlier one."""
    assert files, "there is something to join"
    keys = np.concatenate([one.subscriber_key for one in files])
    order = np.argsort(keys, kind="stable")
    is_last = np.ones(len(keys), np.bool_)
    is_last[:-1] = keys[order][1:] != keys[order][:-1]
    chosen = order[is_last]
    provinces = sorted({name for one in files for name in one.provinces})
    place = {name: number for number, name in enumerate(provinces)}
    province = [
        np.array([place[n] for n in one.provinces], np.int64)[one.province] for one in files
    ]
    return Handovers(
        subscriber_key=keys[chosen],
        day=np.concatenate([one.day for one in files])[chosen],
        last_day=np.concatenate([one.last_day for one in files])[chosen],
        phase=np.concatenate([one.phase for one in files])[chosen],
        province=np.concatenate(province)[chosen],
        provinces=provinces,
    )


def with_handovers(sims: SimRegister | None, handovers: Handovers | None) -> SimRegister | None:
    """Return a register in which records of handovers say from when until when SIMs are entitled.

    A record goes before the days that the register of SIMs states. Who is in no register of SIMs but has a record is
    entitled too, with an unknown operator.
    """
    if handovers is None:
        return sims
    if sims is None:
        nothing = np.zeros(0, np.int64)
        sims = SimRegister(nothing, nothing, nothing, nothing, nothing, [], [])
    row = sims.find(handovers.subscriber_key)
    is_known = row != NOT_FOUND
    operators = sorted({"", *sims.operators})
    provinces = sorted({"", *sims.provinces, *handovers.provinces})
    operator = np.concatenate(
        (
            _moved(sims.operator, sims.operators, operators),
            np.zeros(int((~is_known).sum()), np.int64),
        )
    )
    named = _moved(handovers.province, handovers.provinces, provinces)
    province = np.concatenate((_moved(sims.province, sims.provinces, provinces), named[~is_known]))
    has_name = named != provinces.index("")
    province[row[is_known & has_name]] = named[is_known & has_name]
    keys = np.concatenate((sims.subscriber_key, handovers.subscriber_key[~is_known]))
    first = np.concatenate((sims.first_day, handovers.day[~is_known]))
    last = np.concatenate((sims.last_day, handovers.last_day[~is_known]))
    first[row[is_known]] = handovers.day[is_known]
    last[row[is_known]] = handovers.last_day[is_known]
    order = np.argsort(keys)
    return SimRegister(
        keys[order],
        operator[order],
        province[order],
        first[order],
        last[order],
        operators,
        provinces,
    )


def _moved(place: Int64Column, before: list[str], after: list[str]) -> Int64Column:
    """Return places in another list of names that holds all of the first."""
    return np.array([after.index(name) for name in before], np.int64)[place] if before else place
