"""The tables of two meters as those of one, where they know different SIMs: rows are appended, links moved."""

import numpy as np
from numpy.typing import NDArray

from phusong.kernels.meter_tables import (
    D_OLDER,
    D_SIM,
    M_NEWEST,
    N_NEXT,
    N_PREV,
    N_SIM_DAY,
    NONE,
    S_EXACT_HEAD,
    S_EXACT_TAIL,
    S_HEAD,
    S_SIM,
    S_TAIL,
    S_WAIT_HEAD,
    S_WAIT_TAIL,
    V_SIM_DAY,
    W_NEXT,
    W_PREV,
)

Arrays = dict[str, NDArray[np.int64]]

# Table → table that some of its columns point into → those columns.
LINKS: dict[str, dict[str, tuple[int, ...]]] = {
    "sessions": {
        "nodes": (S_TAIL, S_HEAD, S_EXACT_TAIL, S_EXACT_HEAD),
        "waits": (S_WAIT_TAIL, S_WAIT_HEAD),
        "sims": (S_SIM,),
    },
    "nodes": {"nodes": (N_PREV, N_NEXT), "sim_days": (N_SIM_DAY,)},
    "sims": {"sim_days": (M_NEWEST,)},
    "sim_days": {"sims": (D_SIM,), "sim_days": (D_OLDER,)},
    "waits": {"waits": (W_PREV, W_NEXT)},
    "revised": {"sim_days": (V_SIM_DAY,)},
    "sim_keys": {},
}


def join_tables(mine: Arrays, theirs: Arrays) -> Arrays:
    """Return both states' tables in one; `sources` and accounts are left as they are in `mine`."""
    joined = {
        "sources": mine["sources"],
        "changes": np.concatenate([mine["changes"], theirs["changes"]], axis=1),
    }
    for name, links in LINKS.items():
        moved = theirs[name].copy()
        for target, columns in links.items():
            for column in columns:
                link = moved[:, column]
                link[link != NONE] += len(mine[target])
        joined[name] = np.concatenate([mine[name], moved])
    return joined
