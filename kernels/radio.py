"""Technologies, service states and the levels they can have, as the numbers that stand in columns.

The numbers are those of `proto/phusong/v1/telemetry.proto`; a test compares them.
"""

import numpy as np

from phusong.kernels.columns import Float64Column, Int64Column, SignalReadings
from phusong.kernels.jit import kernel

RAT_UNSPECIFIED = 0
RAT_GSM = 1
RAT_UMTS = 2
RAT_LTE = 3
RAT_NR = 4
RAT_LAST = 4

RAT_NAMES = ("", "GSM", "UMTS", "LTE", "NR")

SERVICE_UNSPECIFIED = 0  # read as in service
SERVICE_IN = 1
SERVICE_NONE = 2
SERVICE_EMERGENCY_ONLY = 3
SERVICE_LAST = 3

ROLE_UNSPECIFIED = 0  # read as serving
ROLE_SERVING = 1
ROLE_NEIGHBOUR = 2
ROLE_LAST = 2

# Lowest and highest level of each technology, both possible. Source: DOMAIN §2. LTE ends at -43
# because Android reports it so; real logs use -30.0, -167.06 and -200 for "no value".
RXLEV_MIN_DBM, RXLEV_MAX_DBM = -110.0, -47.0
RSCP_MIN_DBM, RSCP_MAX_DBM = -120.0, -24.0
RSRP_MIN_DBM, RSRP_MAX_DBM = -140.0, -43.0
SS_RSRP_MIN_DBM, SS_RSRP_MAX_DBM = -156.0, -31.0

RSRQ_MIN_DB, RSRQ_MAX_DB = -43.0, 20.0
SINR_MIN_DB, SINR_MAX_DB = -23.0, 40.0

# Cell identities: GSM CI 16 bits, UTRAN cell identity 28, ECI 28, NCI 36.
GSM_CI_MAX = 2**16 - 1
UMTS_CI_MAX = 2**28 - 1
ECI_MAX = 2**28 - 1
NCI_MAX = 2**36 - 1


@kernel
def is_served(service_state: int) -> bool:
    """Tell whether a pupil could use the network: emergency calls are no service for a pupil."""
    return service_state in (SERVICE_UNSPECIFIED, SERVICE_IN)


@kernel
def cell_identity_max(rat: int) -> int:
    """Return the highest cell identity of a technology, the widest one when it is not known."""
    if rat == RAT_GSM:
        return GSM_CI_MAX
    if rat == RAT_UMTS:
        return UMTS_CI_MAX
    if rat == RAT_LTE:
        return ECI_MAX
    return NCI_MAX


@kernel
def write_levels(
    rat: Int64Column,
    rxlev_dbm: Float64Column,
    rscp_dbm: Float64Column,
    rsrp_dbm: Float64Column,
    ss_rsrp_dbm: Float64Column,
    level_dbm: Float64Column,
) -> None:
    """Write the level that stands in the field of each row's own technology, NaN where there is none.

    A level in another technology's field is not a level: the RSRP column of a 3G row is not RSRP.
    """
    assert len(rat) == len(level_dbm)
    for i in range(len(rat)):
        if rat[i] == RAT_GSM:
            level_dbm[i] = rxlev_dbm[i]
        elif rat[i] == RAT_UMTS:
            level_dbm[i] = rscp_dbm[i]
        elif rat[i] == RAT_LTE:
            level_dbm[i] = rsrp_dbm[i]
        elif rat[i] == RAT_NR:
            level_dbm[i] = ss_rsrp_dbm[i]
        else:
            level_dbm[i] = np.nan


def levels_of(readings: SignalReadings) -> Float64Column:
    """Return each reading's level in the field of its own technology, dBm, NaN where there is none."""
    level_dbm = np.empty(len(readings.rat), np.float64)
    write_levels(
        rat=readings.rat,
        rxlev_dbm=readings.rxlev_dbm,
        rscp_dbm=readings.rscp_dbm,
        rsrp_dbm=readings.rsrp_dbm,
        ss_rsrp_dbm=readings.ss_rsrp_dbm,
        level_dbm=level_dbm,
    )
    return level_dbm
