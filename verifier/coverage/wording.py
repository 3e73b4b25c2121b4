"""Every sentence of a verdict, in one place. English an auditor can read; another language is another such file."""

from datetime import UTC, datetime

from phusong.kernels.days import ICT_OFFSET_MS
from phusong.kernels.radio import RAT_NAMES
from phusong.kernels.survey_counting import Groups
from phusong.verifier.coverage.claims import SiteClaim
from phusong.verifier.coverage.policy import Policy
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.coverage.sample import Sample

# A surveyor's morning; a list of all would hide the sentence it stands in.
SQUARES_NAMED_MAX = 5

# One walk; more are asked for by the next report.
PLACES_NAMED_MAX = 10

HOUR_MS = 3_600_000

LEVEL_NAMES = {"GSM": "RxLev", "UMTS": "RSCP", "LTE": "RSRP", "NR": "SS-RSRP"}


def counted(count: int, noun: str) -> str:
    """Return "1 device", "2 devices"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def percent(share: float) -> str:
    """Return a share with one decimal, never rounded up to a figure it has not reached."""
    return f"{int(share * 1000 + 1e-6) / 10:.1f} %"


def percent_up(share: float) -> str:
    """Return a share with one decimal, never rounded down below what it may be."""
    return f"{-int(-(share * 1000 - 1e-6) // 1) / 10:.1f} %"


def floor_text(rat: int, policy: Policy) -> str:
    """Return what a technology must reach, and whether anybody has read that in its source."""
    technology = policy.technology(rat)
    floor = f"{technology.floor_dbm} dBm {LEVEL_NAMES[technology.rat]}"
    return floor if technology.verified else f"{floor} (floor not verified against its source)"


def missing_evidence(groups: Groups, sample: Sample, group: int, policy: Policy) -> tuple[str, ...]:
    """Return what a part lacks before any verdict is given, in words and numbers."""
    asked, place = policy.minimum, policy.place
    seen, population = int(sample.place_count[group]), int(sample.population_count[group])
    places_asked = -(-population * asked.places_permille // 1000)
    reached = int(sample.reached_count[group])
    reach_asked = -(-population * asked.reach_permille // 1000)
    words = [
        _more(asked.devices, int(groups.device_count[group]), "device", "measured"),
        _more(
            asked.windows,
            int(groups.spaced_count[group]),
            "time window",
            f"measured at least {asked.window_gap_hours} h apart",
        ),
        _more(asked.days, int(groups.day_count[group]), "day", "measured"),
        _more(places_asked, seen, f"place cell of {place.cell_size_m} m", "surveyed", population),
    ]
    if reached < reach_asked:
        words.append(
            f"ground nobody entered: {population - reached:,} of {counted(population, 'place cell')} lie in squares of"
            f" {place.cluster_size_m} m without a reading; at most {population - reach_asked:,} may"
        )
    return tuple(word for word in words if word)


def where_nobody_was(middles: list[tuple[float, float]], square_m: int) -> str:
    """Return where to go: the middles of squares nobody entered, latitude and longitude in degrees."""
    named = "; ".join(f"{lat:.5f}, {lon:.5f}" for lat, lon in middles[:SQUARES_NAMED_MAX])
    rest = len(middles) - SQUARES_NAMED_MAX
    more = f"; and {rest:,} more" if rest > 0 else ""
    return f"squares of {square_m} m nobody entered lie around {named}{more}"


def where_not_surveyed(middles: list[tuple[float, float]], cell_m: int) -> str:
    """Return where to go: middles of place cells nobody surveyed, latitude and longitude in degrees."""
    named = "; ".join(f"{lat:.5f}, {lon:.5f}" for lat, lon in middles[:PLACES_NAMED_MAX])
    rest = len(middles) - PLACES_NAMED_MAX
    more = f"; and {rest:,} more" if rest > 0 else ""
    return f"place cells of {cell_m} m nobody surveyed lie at {named}{more}"


def _more(asked: int, seen: int, noun: str, done: str, population: int | None = None) -> str:
    if seen >= asked:
        return ""
    head, _, tail = noun.partition(" of ")
    noun_more = head if asked - seen == 1 else f"{head}s"
    tail = f" of {tail}" if tail else ""
    of_all = f" of {population:,}" if population is not None else ""
    return f"{asked - seen:,} more {noun_more}{tail}: {asked:,}{of_all} asked, {seen:,} {done}"


def more_places(count: int) -> str:
    """Return what decides where the bounds leave both answers open."""
    return (
        f"about {counted(count, 'more place cell')} surveyed with the present result would decide"
    )


def more_certain() -> str:
    """Return what decides where more ground would not: what was measured of one ground differs too much."""
    return (
        "other devices over the same ground: those that measured differ by more than the verdict's margin, and more"
        " place cells alone would not decide"
    )


def more_devices() -> str:
    """Return what decides where devices contradict each other."""
    return "another device over the same ground, to say which of the contradicting ones is right"


def claim_to_explain() -> str:
    """Return what decides where a base station claims service and SIMs have none."""
    return "an explanation or new readings: the base station reports on air where SIMs report no service"


def in_part(name: str, words: str) -> str:
    """Return what concerns one of several parts."""
    return f"part {name}: {words}"


def unsurveyed(population: int, policy: Policy) -> str:
    """Return what is missing where nobody was: a first survey, with all it must have."""
    asked = policy.minimum
    places_asked = -(-population * asked.places_permille // 1000)
    return (
        f"no reading that counts: {counted(asked.devices, 'device')}, {counted(asked.windows, 'time window')}"
        f" at least {asked.window_gap_hours} h apart, {counted(asked.days, 'day')} and {places_asked:,} of"
        f" {counted(population, 'place cell')} of {policy.place.cell_size_m} m are asked"
    )


def too_small(cell_size_m: int) -> str:
    """Return what is wrong with a footprint no reading can lie in."""
    return f"the footprint is smaller than one place cell of {cell_size_m} m; correct the register"


def untested_reason(operator: str, aside: dict[int, int], policy: Policy) -> str:
    """Return why nothing is known. `aside`: readings set aside, by technology."""
    judged = " or ".join(RAT_NAMES[rat] for rat in policy.counted_rats)
    reason = f"No reading of {operator}'s network that counts ({judged}, measuring hours) lies in this site."
    other = {rat: n for rat, n in aside.items() if rat not in policy.counted_rats}
    late = sum(n for rat, n in aside.items() if rat in policy.counted_rats)
    if other:
        named = ", ".join(
            f"{counted(n, 'reading')} of {RAT_NAMES[rat]}" for rat, n in sorted(other.items())
        )
        reason += f" {named} heard here, which the policy does not count."
    if late:
        hours = f"{policy.time.measuring_hour_first}:00-{policy.time.measuring_hour_end}:00"
        reason += f" {counted(late, 'reading')} outside the measuring hours ({hours} in Vietnam)."
    return reason


def set_aside(count: int) -> str:
    """Return the note on readings that cannot be."""
    verb = "is" if count == 1 else "are"
    return f" {counted(count, 'reading')} here {verb} set aside as implausible (`phusong journal quarantine`)."


def not_responsible(operator: str) -> str:
    """Return the note on an operator the register does not name."""
    return f" {operator} is not listed as responsible for this site."


def verdict_reason(
    verdict: Verdict, sample: Sample, groups: Groups, group: int, policy: Policy
) -> str:
    """Return the sentence behind a verdict, with the figures of the part that decides it."""
    rat = int(groups.rat[group])
    seen, population = int(sample.place_count[group]), int(sample.population_count[group])
    surveyed = (
        f"{seen:,} of {counted(population, 'place cell')} surveyed by"
        f" {counted(int(groups.device_count[group]), 'device')} in {counted(int(groups.window_count[group]), 'window')}"
        f" on {counted(int(groups.day_count[group]), 'day')}: {percent(float(sample.share[group]))} of them reach"
        f" {floor_text(rat, policy)}."
    )
    sure = f"{policy.share.confidence_permille / 10:g} % confidence"
    asked = percent(policy.share.permille / 1000)
    lower, upper = float(sample.lower_bound[group]), float(sample.upper_bound[group])
    silent, bins = int(groups.silent_bin_count[group]), int(groups.bin_count[group])
    silence = f" {counted(silent, 'bin')} of {bins:,} had no service." if silent else ""
    ends = {
        Verdict.COVERED: f"With {sure} at least {percent(lower)} of the footprint does; {asked} is asked.",
        Verdict.NOT_COVERED: f"With {sure} less than {asked} of the footprint does (at most {percent_up(upper)}).",
        Verdict.INSUFFICIENT: f"Not enough to decide whether {asked} of the footprint does; see what is missing.",
        Verdict.CONFLICTED: "Sources contradict each other beyond chance; see what is missing.",
    }
    return f"{surveyed}{silence} {ends[verdict]}"


def expired(verdict: Verdict, policy: Policy) -> str:
    """Return the note on evidence that no longer counts."""
    was = "It was covered then. " if verdict is Verdict.STALE else ""
    return f" {was}All evidence is older than {policy.time.validity_days} days."


def claimed_on_air() -> str:
    """Return the note on a contradicted claim."""
    return " A base station of this site reports that it is on air."


def claimed(claim: SiteClaim, technology: str) -> str:
    """Return what base stations claim, and how far their own telemetry bears it out."""
    if claim.on_air_since_ms is None:
        words = f" Base stations reported {technology} and never that it is on air"
    else:
        words = f" Base stations claim {technology} on air since {day_text(claim.on_air_since_ms)}, which proves nothing"
    if not claim.is_on_air and claim.on_air_since_ms is not None:
        words += "; their last word is that it is not"
    if claim.silences:
        words += f"; {_silence(claim)}"
    return f"{words}."


def silent_stations(claim: SiteClaim) -> str:
    """Return what is missing of the telemetry of base stations."""
    return f"heartbeats of its base stations: {_silence(claim)}; whether they were on air then is not known"


def _silence(claim: SiteClaim) -> str:
    gaps = claim.silences or ()
    longest_ms = max(last - first + 1 for first, last in gaps)
    return (
        f"they announced heartbeats and were silent {counted(len(gaps), 'time')}, {_hours(claim.silent_ms)} in all, at most"
        f" {_hours(longest_ms)} at a stretch, since {day_text(claim.first_telemetry_ms)}"
    )


def _hours(span_ms: int) -> str:
    return f"{span_ms / HOUR_MS:,.1f} h"


def day_text(time_ms: int) -> str:
    """Return the Vietnam day of a Unix time."""
    return time_text(time_ms + ICT_OFFSET_MS)[: len("2021-12-31")]


def time_text(time_ms: int) -> str:
    """Return a Unix time as ISO 8601 in UTC, to the millisecond only where it has any."""
    moment = datetime.fromtimestamp(time_ms // 1000, UTC).replace(microsecond=time_ms % 1000 * 1000)
    digits = "milliseconds" if time_ms % 1000 else "seconds"
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


def renew(policy: Policy) -> str:
    """Return what decides where evidence has expired."""
    return f"a new survey: all readings are older than {policy.time.validity_days} days"
