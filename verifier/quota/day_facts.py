"""From the state to what a day's compliance is judged by: registers, meter, decisions and verdicts joined."""

from collections import Counter, defaultdict

import numpy as np

from phusong.kernels.columns import BoolColumn, Int64Column
from phusong.kernels.route_names import OPERATOR_OTHER
from phusong.verifier.coverage.records import Verdict
from phusong.verifier.names import Names
from phusong.verifier.quota.compliance import DAY_S, CutFacts, DayFacts, SimFacts
from phusong.verifier.quota.day_text import day_text
from phusong.verifier.quota.stages import DecisionLine, decision_lines
from phusong.verifier.registry.sims import NOT_FOUND, SimRegister
from phusong.verifier.state import State

STOPPING = {"CUT", "THROTTLE"}
RESTORE = "RESTORE"
NO_BYTES = np.zeros(0, np.int64)


def day_facts(state: State, ict_day: int, as_of_ms: int) -> DayFacts:
    """Return what is known of a day. Without a register of SIMs every one that was heard of is taken for entitled."""
    operators, provinces = Names(), Names()
    sims = _sim_facts(state, ict_day, operators, provinces)
    return DayFacts(
        ict_day=ict_day,
        quota_bytes=state.quota.settings.quota_bytes,
        sims=sims,
        cuts=cuts_of(
            [
                line
                for line in decision_lines(state.enforcement, as_of_ms)
                if line.day == day_text(ict_day)
            ]
        ),
        operators=operators.texts,
        provinces=provinces.texts,
        covered_sites=_covered_sites(state, as_of_ms),
        report_interval_s=_intervals(state, ict_day, sims, operators),
    )


def knows_cuts(state: State, ict_day: int) -> bool:
    """Tell whether the decisions of a day are at hand: a day without any is otherwise one on which nobody was cut."""
    first_day = state.enforcement.first_day
    return first_day is None or ict_day >= first_day


def _sim_facts(state: State, ict_day: int, operators: Names, provinces: Names) -> SimFacts:
    register = state.quota.sims
    found = state.quota.meter.sims_of_day(ict_day)
    registered = NO_BYTES if register is None else register.subscriber_key
    keys = np.union1d(registered, found.subscriber_key)
    at = np.searchsorted(keys, found.subscriber_key)
    row = np.full(len(keys), NOT_FOUND) if register is None else register.find(keys)
    is_known = row != NOT_FOUND
    operator = np.full(len(keys), operators.row_of(OPERATOR_OTHER))
    province = np.full(len(keys), provinces.row_of(""))
    is_entitled = np.full(len(keys), register is None)
    heard, determinate, metered = np.zeros(len(keys), np.bool_), *np.zeros((2, len(keys)), np.int64)
    heard[at], determinate[at], metered[at] = (
        *(found.is_heard, found.determinate_bytes),
        found.metered_bytes,
    )
    # Of SIMs that nobody registered, whoever spoke of them first.
    spoken = found.operator >= 0
    texts = np.array([operators.row_of(text) for text in state.operators.texts], np.int64)
    operator[at[spoken]] = texts[found.operator[spoken]] if len(texts) else operator[at[spoken]]
    if register is not None:
        whose = np.array([operators.row_of(text) for text in register.operators], np.int64)
        where = np.array([provinces.row_of(text) for text in register.provinces], np.int64)
        operator[is_known] = whose[register.operator[row[is_known]]] if len(whose) else 0
        province[is_known] = where[register.province[row[is_known]]] if len(where) else 0
        is_entitled = register.is_entitled(keys, ict_day)
    charged = np.zeros(len(keys), np.int64)
    charged_keys, charged_bytes = state.quota.meter.charged_bytes(ict_day)
    np.add.at(charged, np.searchsorted(keys, charged_keys), charged_bytes)
    return SimFacts(
        *(keys, operator, province, is_entitled, heard),
        was_heard=heard | _was_heard(state, keys, ict_day, register),
        determinate_bytes=determinate,
        charged_bytes=charged,
        after_window_bytes=np.where(is_known & ~is_entitled, metered, 0),
    )


def _was_heard(
    state: State, keys: Int64Column, ict_day: int, register: SimRegister | None
) -> BoolColumn:
    """Tell which SIMs were heard of on an earlier day of their entitlement."""
    was_heard = np.zeros(len(keys), np.bool_)
    if register is None or not len(register):
        return was_heard
    first = int(
        register.first_day[register.first_day >= ict_day - DAYS_BACK_MAX].min(initial=ict_day)
    )
    for day in state.quota.meter.days().tolist():
        if first <= day < ict_day:
            found = state.quota.meter.sims_of_day(day)
            heard = found.subscriber_key[found.is_heard]
            heard = heard[register.is_entitled(heard, day)]
            was_heard[np.searchsorted(keys, heard)] = True
    return was_heard


# An entitlement is three months by either reading, and 93 days the longest three there are.
DAYS_BACK_MAX = 93


def cuts_of(lines: list[DecisionLine]) -> list[CutFacts]:
    """Return the cuts and throttles among a day's decisions, each with the restore that followed it."""
    restores: dict[str, list[DecisionLine]] = defaultdict(list)
    for line in lines:
        if line.action == RESTORE:
            restores[line.sim].append(line)
    cuts = []
    for line in lines:
        if line.action not in STOPPING:
            continue
        after = [one for one in restores[line.sim] if one.decided_time_ms >= line.decided_time_ms]
        restored_ms = None
        if after:
            restore = min(after, key=lambda one: one.decided_time_ms)
            restored_ms = restore.acknowledged_time_ms or restore.decided_time_ms
        key = int(line.sim)
        cuts.append(
            CutFacts(
                key - 2**64 if key >= 2**63 else key,
                *(line.crossed_time_ms, line.arrived_time_ms, line.decided_time_ms),
                *(line.sent_time_ms, line.acknowledged_time_ms, line.verified_time_ms),
                restored_ms,
            )
        )
    return cuts


def _covered_sites(state: State, as_of_ms: int) -> dict[tuple[str, str], tuple[int, int]]:
    """Return how many sites of a province an operator covers by some technology, and how many it is responsible for."""
    verdicts: dict[tuple[str, str, str], bool] = defaultdict(bool)
    for row in state.verdicts(as_of_ms):
        verdicts[row.operator, row.province_code, row.site_code] |= row.verdict is Verdict.COVERED
    listed: Counter[tuple[str, str]] = Counter(key[:2] for key in verdicts)
    covered = Counter(key[:2] for key, is_covered in verdicts.items() if is_covered)
    return {key: (covered[key], count) for key, count in listed.items()}


def _intervals(state: State, ict_day: int, sims: SimFacts, operators: Names) -> dict[str, int]:
    """Return how far apart the reports of a SIM lay on average, by operator; as if every SIM was on the net all day."""
    counted: Counter[str] = Counter()
    accounts = state.quota.meter.accounts_of_day(ict_day)
    for source, count in zip(accounts.source.tolist(), accounts.counted.tolist(), strict=True):
        counted[state.sources.texts[source].split("/")[0]] += count
    heard = np.bincount(sims.operator[sims.is_heard], minlength=len(operators.texts)).tolist()
    return {
        text: min(DAY_S, DAY_S * heard[number] // counted[text])
        for number, text in enumerate(operators.texts)
        if counted[text] and heard[number]
    }
