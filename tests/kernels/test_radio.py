import numpy as np

from phusong.kernels import radio
from phusong.v1 import telemetry_pb2 as wire
from reference.signal_rows import RAT, columns_of


def test_the_numbers_are_those_of_the_wire() -> None:
    assert wire.Rat.items() == [
        ("RAT_UNSPECIFIED", radio.RAT_UNSPECIFIED),
        ("RAT_GSM", radio.RAT_GSM),
        ("RAT_UMTS", radio.RAT_UMTS),
        ("RAT_LTE", radio.RAT_LTE),
        ("RAT_NR", radio.RAT_NR),
    ]
    assert wire.ServiceState.items() == [
        ("SERVICE_STATE_UNSPECIFIED", radio.SERVICE_UNSPECIFIED),
        ("SERVICE_STATE_IN_SERVICE", radio.SERVICE_IN),
        ("SERVICE_STATE_NO_SERVICE", radio.SERVICE_NONE),
        ("SERVICE_STATE_EMERGENCY_ONLY", radio.SERVICE_EMERGENCY_ONLY),
    ]
    assert wire.CellRole.items() == [
        ("CELL_ROLE_UNSPECIFIED", radio.ROLE_UNSPECIFIED),
        ("CELL_ROLE_SERVING", radio.ROLE_SERVING),
        ("CELL_ROLE_NEIGHBOUR", radio.ROLE_NEIGHBOUR),
    ]
    assert (radio.RAT_LAST, radio.SERVICE_LAST, radio.ROLE_LAST) == (4, 3, 2)


def test_a_level_is_that_of_the_rows_own_technology() -> None:
    levels = {"rxlev_dbm": -61.0, "rscp_dbm": -72.0, "rsrp_dbm": -83.0, "ss_rsrp_dbm": -94.0}
    readings = columns_of([levels | {"rat": rat} for rat in (0, *RAT.values())])

    level_dbm = radio.levels_of(readings)

    assert np.isnan(level_dbm[0])
    assert level_dbm[1:].tolist() == [-61.0, -72.0, -83.0, -94.0]


def test_only_full_service_serves_a_pupil() -> None:
    assert [radio.is_served(state) for state in range(4)] == [True, True, False, False]
