"""Seven drive-test logs and one accounting session of the real world. They stay outside the repository (see DOMAIN §4)."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from phusong.collector.importing.formats import read_file
from phusong.collector.importing.options import ImportOptions
from phusong.collector.importing.screening import decode_payload, screen_rows
from phusong.kernels.frame import PayloadKind
from phusong.kernels.reject import TAKEN, reason_name
from phusong.v1.telemetry_pb2 import RAT_LTE, RAT_NR, RAT_UMTS

DATA = Path(__file__).parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real logs are not at ../shared/data beside the repository"
)

# log: rows taken by technology, rows quarantined by reason
LOGS = {
    "B_2019.11.22_07.30.04.csv": ({RAT_NR: 994, RAT_LTE: 379}, {}),
    "B_2019.11.28_10.14.25.csv": ({RAT_NR: 1079, RAT_LTE: 241}, {}),
    # 433 rows of 3G, 1 row between two networks, 3 rows of -200
    "B_2019.12.14_10.16.30.csv": (
        {RAT_NR: 524, RAT_LTE: 194},
        {"LEVEL_MISSING": 434, "LEVEL_OUT_OF_RANGE": 3},
    ),
    # 346 rows of 3G, 4 rows between two networks
    "B_2019.12.16_12.27.05.csv": ({RAT_NR: 967, RAT_LTE: 21}, {"LEVEL_MISSING": 350}),
    # 68 rows of 3G, all with the -200 that is no level of theirs either
    "B_2020.01.06_11.08.12.csv": ({RAT_NR: 1546}, {"LEVEL_MISSING": 68}),
    # 672 rows of 3G
    "B_2020.02.14_12.58.17.csv": ({RAT_NR: 148, RAT_LTE: 140}, {"LEVEL_MISSING": 672}),
    "B_2020.02.14_13.21.26.csv": ({RAT_NR: 1013}, {}),
}


def decoded(path, **options):
    """Return the decoded only payload of a log; every row of it could be read."""
    (payload,) = read_file(path, "auto", ImportOptions(**options))
    assert payload.route.kind == PayloadKind.BATCH
    return decode_payload(payload.payload)


@pytest.mark.parametrize("name", LOGS)
def test_what_was_taken_of_a_drive_and_what_was_quarantined_and_why(name):
    rows = decoded(DATA / "gnettrack" / name)

    reason = screen_rows(rows)

    taken = Counter(rows.signal.rat[reason == TAKEN].tolist())
    refused = Counter(reason_name(int(why)) for why in reason if why != TAKEN)
    assert (dict(taken), dict(refused)) == LOGS[name]


@pytest.mark.parametrize("name", LOGS)
def test_no_sentinel_and_no_3g_level_counts_as_a_level(name):
    rows = decoded(DATA / "gnettrack" / name).signal
    reason = screen_rows(decoded(DATA / "gnettrack" / name))

    levels = np.stack((rows.rsrp_dbm, rows.ss_rsrp_dbm, rows.rscp_dbm, rows.rxlev_dbm))

    is_counted = reason == TAKEN
    assert np.isnan(levels[:, rows.rat == RAT_UMTS]).all()
    assert not (levels[:, is_counted] <= -140).any()
    assert np.isfinite(levels[0, is_counted & (rows.rat == RAT_LTE)]).all()
    assert np.isfinite(levels[1, is_counted & (rows.rat == RAT_NR)]).all()


def test_all_readings_have_a_place_a_time_and_one_phone():
    for name in LOGS:
        rows = decoded(DATA / "gnettrack" / name).signal
        assert ((rows.latitude_deg > 51.8) & (rows.latitude_deg < 52)).all()
        assert ((rows.longitude_deg > -8.5) & (rows.longitude_deg < -8.3)).all()
        assert (np.diff(rows.observed_time_ms) >= 0).all()
        assert len(set(rows.device_key.tolist())) == 1


def test_the_radius_session_is_179_requests_with_the_right_totals_and_a_clock_far_ahead():
    rows = decoded(DATA / "radius" / "wba-download-5gb.csv", operator="viettel").usage

    wrapped = np.where(rows.downlink_gigawords > 0, rows.downlink_gigawords, 0) << 32
    total = rows.uplink_bytes + rows.downlink_bytes + wrapped
    ahead_ms = rows.observed_time_ms - rows.received_time_ms

    assert len(rows.row) == 179
    assert (rows.uplink_bytes[-1], total[-1] - rows.uplink_bytes[-1]) == (
        147_699_750,
        5_682_218_308,
    )
    assert (int(np.argmax(total >= 4 * 10**9)), int(total[123])) == (123, 4_031_906_856)
    assert (int(np.argmax(total >= 2**32)), int(total[131])) == (131, 4_299_654_852)
    assert int(np.argmax(rows.downlink_gigawords == 1)) == 135
    assert set((ahead_ms + 500) // 1000) <= {257_724, 257_725}
    assert (
        len({(key, name) for key, name in zip(rows.subscriber_key, rows.session, strict=True)}) == 1
    )
    assert (
        screen_rows(decoded(DATA / "radius" / "wba-download-5gb.csv", operator="viettel")) == TAKEN
    ).all()
