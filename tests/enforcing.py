"""A verifier's state of decisions, fed frame by frame by a test."""

import numpy as np

from phusong.v1.enforcement_pb2 import ACTION_CUT, Decision, DecisionsSent
from phusong.verifier.names import Names
from phusong.verifier.quota.decisions import decision_key
from phusong.verifier.quota.enforcement import EnforcementState
from phusong.verifier.quota.settings import QuotaSettings
from phusong.verifier.quota.stages import Stage, decision_lines
from phusong.verifier.quota.state import QuotaState
from reference.usage import FIRST_OF_OCTOBER, HOUR_MS, MIDNIGHT_MS, Usage, columns

QUOTA = 4 * 2**30
NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS
MINUTE_MS = 60_000
SIM = 7


class Life:
    """A verifier's state, fed frame by frame."""

    def __init__(self) -> None:
        names = Names(["viettel"])
        self.quota = QuotaState(None, QuotaSettings(), names)
        self.state = EnforcementState(names)
        self.position = 0

    def read(self, time_ms: int, used_bytes: int, *, sim: int = SIM, start_ms: int = -1) -> None:
        """Take in one reading of a cumulative counter, as a frame of its own."""
        start = None if start_ms < 0 else start_ms
        self.take([Usage(time_ms, up=0, down=used_bytes, sim=sim, start_ms=start)])

    def take(self, rows: list[Usage]) -> None:
        readings = columns(rows)
        zeros = np.zeros(len(rows), np.int64)
        self.quota.add(
            readings,
            readings.observed_time_ms,
            zeros,
            readings.observed_time_ms,
            zeros,
            zeros,
            np.zeros(len(rows), np.bool_),
            zeros.copy(),
        )
        self.state.observe(readings.subscriber_key, readings.observed_time_ms, self.quota)

    def decide(self, time_ms: int, action: int = ACTION_CUT, number: int = 1, **fields: int) -> str:
        """Note a decision of the journal; return its key."""
        self.position += 1
        sim = fields.pop("sim", SIM)
        day = fields.pop("day", FIRST_OF_OCTOBER)
        key = decision_key(day, sim, action, number)
        decision = Decision(
            operator="viettel",
            position=self.position,
            decision_key=key,
            subscriber_key=sim,
            action=action,  # type: ignore[arg-type]  # the stubs know the enum only by name
            threshold_percent=100,
            day=key.split("/")[0],
            used_bytes=QUOTA,
            quota_bytes=QUOTA,
            crossed_time_ms=time_ms - 2000,
            arrived_time_ms=time_ms - 20,
            decided_time_ms=time_ms,
            **fields,  # type: ignore[arg-type]
        )
        self.state.note_decision(decision, time_ms)
        return key

    def send(self, time_ms: int, *positions: int, attempt: int = 1) -> None:
        message = DecisionsSent(
            operator="viettel", sent_time_ms=time_ms, attempt=attempt, positions=positions
        )
        self.state.note_sent(message, time_ms)

    def acknowledge(self, time_ms: int, *keys: str, operator: str = "viettel") -> None:
        self.state.note_acknowledged(operator, keys, time_ms)

    def cut(self, **fields: int) -> str:
        """Let a SIM cross its quota, be cut and the cut be acknowledged at noon."""
        self.read(NOON_MS - MINUTE_MS, QUOTA)
        key = self.decide(NOON_MS, **fields)
        self.send(NOON_MS + 10, self.position)
        self.acknowledge(NOON_MS + 100, key)
        return key

    def stages(self, now_ms: int = NOON_MS) -> list[Stage]:
        return [line.state for line in decision_lines(self.state, now_ms)]
