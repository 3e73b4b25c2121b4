from phusong.kernels.identity import SEED
from phusong.kernels.meter_sessions import session_hash
from reference.flood import colliding_sessions, longest_run
from reference.metering import meter_of, used
from reference.usage import MIDNIGHT_MS, Usage

# Full slots side by side bound what a look-up can cost. A quarter full, chance makes runs of some 30.
FLOOD_COUNT, FLOOD_MASK, RUN_MAX = 4096, 2**14 - 1, 200


def test_sessions_made_to_meet_in_one_slot_meet_for_one_seed_only() -> None:
    keys = colliding_sessions(FLOOD_COUNT, subscriber=7)

    foreseen = {int(session_hash(7, key, 0, 0, 0, 0)) & FLOOD_MASK for key in keys}
    places = [int(session_hash(7, key, 0, 0, 0, SEED)) & FLOOD_MASK for key in keys]

    assert foreseen == {0}
    assert longest_run(places, FLOOD_MASK) < RUN_MAX


def test_sessions_that_would_meet_are_metered_apart() -> None:
    rows = [
        Usage(MIDNIGHT_MS + 1, down=5, session=int(key))
        for key in colliding_sessions(FLOOD_COUNT, subscriber=7)
    ]

    assert [entry["metered"] for entry in used(meter_of(rows)).values()] == [5 * FLOOD_COUNT]
