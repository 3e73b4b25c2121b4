"""The long form of the calibration: run every campaign, write docs/calibration.md and docs/calibration.svg.

`make calibrate`; PHUSONG_SEED repeats a seed, PHUSONG_SITES sets how many sites a campaign draws (400).
"""

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

sys.path.insert(0, str(Path(__file__).parent.parent))

from phusong.verifier.coverage.records import Verdict
from simulation.campaign import Campaign
from simulation.curve import Panel, picture
from simulation.fields import Terrain
from simulation.measuring import POLICY, Phones

DOCS = Path(__file__).parent.parent.parent / "docs"
SEED = int(os.environ.get("PHUSONG_SEED", "20211201"))
SITES = int(os.environ.get("PHUSONG_SITES", "400"))
ASKED = POLICY.share.permille
GOOD = 995
FALSE_MAX = 0.05
EXACT = Phones(offset_db=0.0, fading_paths=0.0)
REAL = Phones()
RADII_M = (300, 400, 500, 1000, 1500)
# Large footprints hold most of the work: from here on only two kinds of shadow, and fewer sites.
LARGE_M = 1000
SITES_OF = {1000: SITES // 2, 1500: SITES // 4}
# With exact phones a field may be stretched and nothing changes: one depth of shadow says it all.
SHADOWS_EXACT = ((6.0, 50.0), (6.0, 200.0))
SHADOWS = ((4.0, 50.0), (4.0, 200.0), (8.0, 50.0), (8.0, 200.0))
WALKED = ("random", "road", "mixed")
CURVE_PERMILLE = [800, 840, 870, 890, 910, 920, 930, 940, 949, 950, 960, 970, 980, 990, 1000]


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table: what it is called, and its campaigns from left to right."""

    words: tuple[str, ...]
    campaigns: tuple[Campaign, ...]


Verdicts = dict[Campaign, Counter[Verdict]]


def threes(sampler: str, terrain: Terrain, phones: Phones, surveyed: float = 0.4) -> list[Campaign]:
    """Return the three questions: just below the share, just at it, and good."""
    sites = SITES_OF.get(terrain.radius_m, SITES)
    drawn = {"surveyed_share": surveyed, "phones": phones, "site_count": sites}
    return [
        Campaign(sampler, terrain, ASKED, is_below=True, **drawn),
        Campaign(sampler, terrain, ASKED, **drawn),
        Campaign(sampler, terrain, GOOD, **drawn),
    ]


def ground_lines(phones: Phones) -> list[Line]:
    """Return the lines over footprints and shadows."""
    shadows = SHADOWS_EXACT if phones == EXACT else SHADOWS
    return [
        Line(
            (f"{radius} m", f"{len(Terrain(radius).cells):,}", f"{db:g} dB", f"{length:g} m"),
            tuple(c for s in WALKED for c in threes(s, Terrain(radius, db, length), phones)),
        )
        for radius in RADII_M
        for db, length in (shadows if radius < LARGE_M or phones == EXACT else shadows[1:3])
    ]


def phone_lines() -> list[Line]:
    """Return the lines over how much phones differ."""
    return [
        Line(
            (f"{offset:g} dB",),
            tuple(
                c
                for s in (*WALKED, "census")
                for c in threes(s, Terrain(500, 6.0), Phones(offset_db=offset))
            ),
        )
        for offset in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
    ]


def share_lines() -> list[Line]:
    """Return the lines over how much of a small footprint is surveyed, up to a census."""
    return [
        Line(
            (f"{radius} m", f"{len(Terrain(radius).cells):,}", f"{surveyed * 100:g} %"),
            tuple(threes("random", Terrain(radius, 6.0), EXACT, surveyed)),
        )
        for radius in (300, 400)
        for surveyed in (0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    ]


def odd_lines() -> list[Line]:
    """Return the lines of surveys that must prove nothing, or must not mislead."""
    drawn = {"terrain": Terrain(500, 6.0), "site_count": SITES}
    mute = Phones(is_silence_sent=False)
    cases = [
        ("one stationary phone, just below the share", Campaign("stationary", met_permille=ASKED, is_below=True, **drawn)),
        ("one stationary phone, good site", Campaign("stationary", met_permille=GOOD, **drawn)),
        ("one half surveyed, the bad half elsewhere", Campaign("half", met_permille=700, is_halved=True, **drawn)),
        ("phone at home and the rest, just below", Campaign("home", met_permille=ASKED, is_below=True, **drawn)),
        ("phone at home and the rest, good site", Campaign("home", met_permille=GOOD, **drawn)),
        ("no service anywhere, said", Campaign("random", met_permille=0, **drawn)),
        ("30 % missed, silence said", Campaign("random", met_permille=700, **drawn)),
        ("30 % missed, silence kept back", Campaign("random", met_permille=700, phones=mute, **drawn)),
    ]  # fmt: skip
    return [Line((words,), (campaign,)) for words, campaign in cases]


def curve_campaigns() -> dict[str, list[Campaign]]:
    """Return the campaigns of the picture, by sampling."""
    return {
        sampler: [
            Campaign(sampler, Terrain(500, 6.0), permille, site_count=SITES)
            for permille in CURVE_PERMILLE
        ]
        for sampler in WALKED
    }


def run(campaigns: list[Campaign]) -> Verdicts:
    """Return the verdicts of every campaign, each from the one seed."""
    done: Verdicts = {}
    columns = (TextColumn("calibrating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        for campaign in progress.track(list(dict.fromkeys(campaigns))):
            done[campaign] = campaign.verdicts(SEED)
    return done


def rate(verdicts: Counter[Verdict], verdict: Verdict) -> str:
    """Return a rate in percent."""
    return f"{100 * verdicts[verdict] / verdicts.total():.1f}"


ANSWERS = (Verdict.COVERED, Verdict.NOT_COVERED, Verdict.COVERED)


def threes_table(
    heads: tuple[str, ...], samplers: tuple[str, ...], lines: list[Line], done: Verdicts
) -> list[str]:
    """Return a table of false COVERED / false NOT_COVERED / proved, in percent, a column a sampling."""
    columns = [*heads, *samplers]
    rows = [[*line.words, *_cells([done[c] for c in line.campaigns])] for line in lines]
    pooled = [
        sum((done[c] for c in column), Counter())
        for column in zip(*(line.campaigns for line in lines), strict=True)
    ]
    rows.append(["all", *("" for _ in heads[1:]), *_cells(pooled)])
    return table(columns, rows)


def _cells(found: list[Counter[Verdict]]) -> list[str]:
    """Return three rates a cell."""
    rates = [rate(f, v) for f, v in zip(found, ANSWERS * (len(found) // 3), strict=True)]
    return [" / ".join(rates[i : i + 3]) for i in range(0, len(rates), 3)]


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table in Markdown."""
    body = ["| " + " | ".join(row) + " |" for row in rows]
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns), *body, ""]


def page(done: Verdicts) -> str:
    """Return docs/calibration.md."""
    ground = ("radius", "place cells", "shadow", "length")
    conflicted = sum(found[Verdict.CONFLICTED] for found in done.values())
    sites = sum(found.total() for found in done.values())
    text = (Path(__file__).parent / "calibration_head.md").read_text(encoding="utf-8")
    lines = [
        text.format(seed=SEED, sites=SITES, asked=ASKED / 10, good=GOOD / 10, offset=REAL.offset_db).rstrip(),
        "",
        "## Exact phones",
        "",
        *threes_table(ground, WALKED, ground_lines(EXACT), done),
        f"## Phones that differ: by {REAL.offset_db:g} dB, with fading",
        "",
        *threes_table(ground, WALKED, ground_lines(REAL), done),
        "## How much phones may differ",
        "",
        "Footprint of 500 m, shadows of 6 dB and 100 m.",
        "",
        *threes_table(("between phones",), (*WALKED, "census"), phone_lines(), done),
        "## Small footprints, up to a census",
        "",
        "Random places, exact phones, shadows of 6 dB and 100 m.",
        "",
        *threes_table(("radius", "place cells", "surveyed"), ("random",), share_lines(), done),
        "## Surveys that must prove nothing, or must not mislead",
        "",
        "Footprint of 500 m; phones that differ.",
        "",
        *table(
            ["survey", *(v.value for v in SHOWN)],
            [[*line.words, *(rate(done[line.campaigns[0]], v) for v in SHOWN)] for line in odd_lines()],
        ),
        "## CONFLICTED",
        "",
        (f"Of all {sites:,} sites drawn here, whose phones differ by chance only, {conflicted:,} came out CONFLICTED"
        f" ({100 * conflicted / sites:.2f} %)."),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


SHOWN = (Verdict.COVERED, Verdict.NOT_COVERED, Verdict.INSUFFICIENT, Verdict.CONFLICTED)


def panels(done: Verdicts) -> list[Panel]:
    """Return what the picture shows."""
    return [
        Panel(
            sampler,
            CURVE_PERMILLE,
            {
                v: [done[c][v] / done[c].total() for c in campaigns]
                for v in (Verdict.COVERED, Verdict.NOT_COVERED, Verdict.INSUFFICIENT)
            },
        )
        for sampler, campaigns in curve_campaigns().items()
    ]


def main() -> None:
    """Run everything and write both files."""
    lines = [*ground_lines(EXACT), *ground_lines(REAL), *phone_lines(), *share_lines(), *odd_lines()]  # fmt: skip
    campaigns = [c for line in lines for c in line.campaigns]
    campaigns += [c for found in curve_campaigns().values() for c in found]
    sys.stderr.write(f"PHUSONG_SEED={SEED}, {len(set(campaigns))} campaigns of {SITES} sites\n")
    done = run(campaigns)
    (DOCS / "calibration.md").write_text(page(done), encoding="utf-8")
    (DOCS / "calibration.svg").write_text(picture(panels(done), ASKED, FALSE_MAX), encoding="utf-8")
    sys.stderr.write("wrote docs/calibration.md and docs/calibration.svg\n")


if __name__ == "__main__":
    main()
