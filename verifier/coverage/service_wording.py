"""Every sentence about tests of the service."""

from phusong.verifier.coverage.records import Standing, TestResult
from phusong.verifier.coverage.wording import counted, percent, percent_up

NAMES = {"download": "downloads", "latency": "delays", "access": "attempts to open a data session"}
STANDINGS = {
    Standing.MET: "as asked",
    Standing.NOT_MET: "fewer than asked",
    Standing.OPEN: "not enough to decide",
    Standing.NOT_ASKED: "nothing asked",
}


def decided(results: list[TestResult], asked: list[str]) -> str:
    """Return what tests say of a row whose verdict depends on them."""
    found = [
        f"{NAMES[result.measure]} {percent(result.share)} good at {counted(result.place_count, 'place')}"
        f" ({percent(result.lower_bound)} to {percent_up(result.upper_bound)}): {STANDINGS[result.standing]}"
        for result in results
    ]
    tested = {result.measure for result in results}
    found += [f"{NAMES[name]}: none tested" for name in asked if name not in tested]
    return f" Tests of the service: {'; '.join(found)}."


def untested(name: str) -> str:
    """Return what is missing where nothing was tested that the policy asks for."""
    return f"tests of {NAMES[name]}: the policy asks for them and none was made here"


def untested_parts(name: str, count: int) -> str:
    """Return what is missing where some parts of a site were not tested."""
    return f"tests of {NAMES[name]} in {counted(count, 'other part')} of the site"


def more_attempts(short: int, count: int) -> str:
    """Return how many more attempts are asked at least."""
    return f"{short:,} more attempts to open a data session, 30 s apart for each device; {count:,} made"


def more_tests(name: str, places: int) -> str:
    """Return what decides where the bounds leave both answers open."""
    if not places:
        return f"tests of {NAMES[name]} by other devices: those that tested the same places differ too much"
    return f"tests of {NAMES[name]} at about {counted(places, 'more place cell')}, with the present result, would decide"
