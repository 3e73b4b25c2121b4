"""How a finding would stand at other levels: ±3 and ±6 dB of the floor, and the tiers a policy also reports.

Nothing is decided by these. They say how much hangs on the floor, whose source may be unverified, and on a few decibels that
phones differ by.
"""

from dataclasses import dataclass

import numpy as np

from phusong.kernels.bins import SENSITIVITIES_DB
from phusong.kernels.columns import BoolColumn
from phusong.verifier.coverage.figures import Evidence, Ground, RowKey, row_key
from phusong.verifier.coverage.sample import sample_places
from phusong.verifier.coverage.survey import survey_bins


@dataclass(frozen=True, slots=True)
class FloorShare:
    """The share of places at or above a level and its one-sided bounds, of the part of the site where it is weakest."""

    floor_dbm: int
    offset_db: int | None  # from the policy's floor; None for a tier that is also reported
    share: float
    lower_bound: float
    upper_bound: float


def floor_shares(
    ground: Ground, evidence: Evidence, is_chosen: BoolColumn
) -> dict[RowKey, tuple[FloorShare, ...]]:
    """Return, of the chosen bins, the shares of every row at each other level, lowest level first."""
    policy = ground.policy
    floors_dbm = policy.floors_dbm()
    weakest: dict[tuple[RowKey, int], FloorShare] = {}
    for floor in range(1, floors_dbm.shape[1]):
        survey = survey_bins(evidence.keys, evidence.counts, is_chosen, policy, floor)
        sample = sample_places(survey, ground.footprints, policy)
        for group, rat in enumerate(survey.groups.rat.tolist()):
            if np.isinf(floors_dbm[rat, floor]):
                continue
            key = row_key(ground, survey, group)
            found = FloorShare(
                floor_dbm=int(floors_dbm[rat, floor]),
                offset_db=_offset_db(floor),
                share=round(float(sample.share[group]), 6),
                lower_bound=float(sample.lower_bound[group]),
                upper_bound=float(sample.upper_bound[group]),
            )
            known = weakest.get((key, floor))
            if known is None or found.lower_bound < known.lower_bound:
                weakest[key, floor] = found
    rows: dict[RowKey, list[FloorShare]] = {}
    for (key, _), found in weakest.items():
        rows.setdefault(key, []).append(found)
    return {key: tuple(sorted(shares, key=_level)) for key, shares in rows.items()}


def _offset_db(floor: int) -> int | None:
    """Return what a place in the row of floors means; see `Policy.floors_dbm`."""
    return SENSITIVITIES_DB[floor - 1] if floor <= len(SENSITIVITIES_DB) else None


def _level(found: FloorShare) -> tuple[int, bool]:
    return found.floor_dbm, found.offset_db is None
