"""The score test of a proportion (Wilson 1927): the yardstick the law's tables are written in, not the verdict's own."""

import math
from statistics import NormalDist


def score_confidence(passes: int, trials: int, share: float) -> float:
    """Return how sure it is that at least a share passes, given passes of independent trials."""
    deviation = math.sqrt(share * (1 - share) / trials)
    return NormalDist().cdf((passes / trials - share) / deviation)
