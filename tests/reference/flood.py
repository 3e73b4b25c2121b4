"""Keys made to meet in one slot of a table whose seed is known to be 0, by running its hash backwards."""

import numpy as np

BITS = 2**64
STEP = 0x9E3779B97F4A7C1


def mix(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD % BITS
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 % BITS
    return value ^ value >> 33


def unmix(value: int) -> int:
    value ^= value >> 33
    value = value * pow(0xC4CEB9FE1A85EC53, -1, BITS) % BITS
    value ^= value >> 33
    value = value * pow(0xFF51AFD7ED558CCD, -1, BITS) % BITS
    return value ^ value >> 33


def signed(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint64).view(np.int64)


def colliding_keys(count: int, column: int) -> np.ndarray:
    """Return values of the last column of keys whose `column` earlier ones are 0; all hash to 0 in the low 24 bits."""
    before = 0
    for _ in range(column):
        before = (mix(before) + STEP) % BITS
    return signed([unmix((unmix(k << 24) - STEP) % BITS) ^ before for k in range(count)])


def colliding_sessions(count: int, subscriber: int) -> np.ndarray:
    """Return session keys of a subscriber's counters (source, epoch and class 0) that hash to 0 in the low 24 bits."""
    return signed([(unmix(k << 24) - mix(subscriber)) % BITS for k in range(count)])


def longest_run(places: list[int], mask: int) -> int:
    """Return the most full slots side by side when keys that want these places move on to the next that is free."""
    is_full = np.zeros(mask + 1, np.bool_)
    for place in places:
        slot = place
        while is_full[slot]:
            slot = (slot + 1) & mask
        is_full[slot] = True
    empty = np.flatnonzero(~is_full)
    return int(np.diff(np.concatenate([empty, [empty[0] + mask + 1]])).max()) - 1
