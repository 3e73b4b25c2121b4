"""How many of a group's moments lie far enough apart to speak of different hours."""

from phusong.kernels.columns import Int64Column
from phusong.kernels.jit import kernel


@kernel
def count_spaced(
    group: Int64Column, time_ms: Int64Column, gap_ms: int, spaced_count: Int64Column
) -> None:
    """Count, per group, how many moments can be chosen that lie `gap_ms` apart from each other.

    Rows are sorted by group and time. Taking the earliest that is far enough, again and again, finds the most.
    """
    assert len(group) == len(time_ms)
    last_group, last_ms = -1, 0
    for i in range(len(group)):
        if group[i] != last_group or time_ms[i] - last_ms >= gap_ms:
            spaced_count[group[i]] += 1
            last_group, last_ms = group[i], time_ms[i]
