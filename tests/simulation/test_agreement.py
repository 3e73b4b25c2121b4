"""CONFLICTED is for contradictions beyond chance: hamlets whose phones differ by chance only, and hamlets with deaf ones.

PHUSONG_SEED draws others. The counts allowed are five times those measured, the counts asked are a tenth less.
"""

import os
import sys
from collections import Counter

import pytest

from phusong.verifier.coverage.records import Verdict
from simulation.campaign import Campaign
from simulation.fields import Terrain
from simulation.measuring import Phones

SEED = int(os.environ.get("PHUSONG_SEED", "20211201"))
TERRAINS = [Terrain(radius_m, 6.0, m) for radius_m in (300, 400, 800) for m in (50.0, 200.0)]
SITES_PER_TERRAIN = 70
HAMLET = Terrain(400, 6.0, 100.0)

pytestmark = pytest.mark.slow


def verdicts(
    sampler: str, met_permille: int, phones: Phones, terrains: list[Terrain]
) -> Counter[Verdict]:
    found: Counter[Verdict] = Counter()
    for number, terrain in enumerate(terrains):
        campaign = Campaign(
            sampler, terrain, met_permille, phones=phones, site_count=SITES_PER_TERRAIN
        )
        found += campaign.verdicts(SEED + number)
    sys.stdout.write(f"PHUSONG_SEED={SEED} {sampler} {met_permille}: {dict(found)}\n")
    return found


@pytest.mark.parametrize("sampler", ["random", "road", "mixed"])
@pytest.mark.parametrize("met_permille", [949, 995])
def test_phones_and_sources_that_differ_by_chance_seldom_conflict(
    sampler: str, met_permille: int
) -> None:
    """Phones within 1.5 dB of each other, in two sources: 0.3 % measured, 1.5 % of 420 allowed."""
    found = verdicts(sampler, met_permille, Phones(source_of=(1, 2)), TERRAINS)

    assert found[Verdict.CONFLICTED] <= 6


def test_phones_that_really_differ_conflict_in_few_hamlets() -> None:
    """Within 3 dB of each other, which is a difference: 4 % measured."""
    phones = Phones(offset_db=3.0, source_of=(1, 2))

    found = verdicts("random", 949, phones, TERRAINS)

    assert found[Verdict.CONFLICTED] <= 42


@pytest.mark.parametrize(
    ("sampler", "deaf", "source_of", "conflicted_min"),
    [
        ("random", (0,), (1,), 63),
        ("random", (0, 1), (1, 1, 2, 2), 63),
        # On a few roads the devices meet in few squares, and each deaf one has another beside it.
        ("road", (0, 1), (1, 1, 2, 2), 42),
    ],
)
def test_a_deaf_phone_and_a_deaf_source_conflict_with_the_others(
    sampler: str, deaf: tuple[int, ...], source_of: tuple[int, ...], conflicted_min: int
) -> None:
    found = verdicts(sampler, 995, Phones(deaf=deaf, source_of=source_of), [HAMLET])

    assert found[Verdict.CONFLICTED] >= conflicted_min


def test_two_deaf_phones_without_a_source_hide_behind_each_other() -> None:
    """What the sources are for: 1 of 60 conflicted by devices alone."""
    found = verdicts("road", 995, Phones(deaf=(0, 1), source_of=(1,)), [HAMLET])

    assert found[Verdict.CONFLICTED] <= 14
    assert found[Verdict.COVERED] == 0
