"""What each device of the history measures and sends: endless, and the same for the same seed.

Nothing here knows the product beyond its messages. Every row lies in the morning of one Vietnam day or the evening before.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple

from phusong.v1.telemetry_pb2 import Batch, CellReport, SignalReading, UsageReading

START_MS = 1_638_324_000_000  # 2021-12-01 09:00 in Vietnam, when the service's clock starts
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
EVENING_MS = START_MS - 12 * HOUR_MS  # 21:00 of the day before
TODAY, YESTERDAY = "2021-12-01", "2021-11-30"

SIM_COUNT = 6  # of each device; the last one crosses its quota soon, the first one hardly ever
DELTA_MAX_BYTES = 1 << 30
ROW_COUNT_MAX = 6
CHUNK_COUNT = 8  # of what a device sends backwards
REBOOT_SHARE = 1 / 60
NETWORK = "45204"
LEVEL_IMPOSSIBLE_DBM = -200


class Site(NamedTuple):
    """A listed place."""

    code: str
    latitude_deg: float
    longitude_deg: float


SITES = tuple(Site(f"HG-{k}", 22.0 + k / 10, 105.0) for k in range(1, 7))
SITES_CSV = (
    "site_code,name,province_code,list,operators,part,latitude_deg,longitude_deg,radius_m\n"
    + "".join(
        f"{site.code},Bản {site.code},02,283,viettel,centre,{site.latitude_deg},{site.longitude_deg},500\n"
        for site in SITES
    )
)


class Habit(NamedTuple):
    """How a device sends."""

    has_sequence: bool = True  # without, no deltas: they would be refused
    is_twice: bool = False  # everything is sent again after it was acknowledged
    is_backwards: bool = False
    is_json: bool = False  # over MQTT
    is_mortal: bool = False  # never sends again what was not acknowledged


class Device:
    """One source of an operator of its own, so that every count by operator is a count by source."""

    source = "device-1"

    def __init__(self, number: int, operator: str, seed: object, habit: Habit) -> None:
        self.operator = operator
        self.habit = habit
        self._chance = random.Random(f"device {operator} {seed}")
        self._sims = [2**63 * (k == 0) + 100 * (number + 1) + k for k in range(SIM_COUNT)]
        self._counters = [[EVENING_MS, 0, 0, 0] for _ in self._sims]  # time, session, up, down
        self._boot_epoch = 1
        self._sequence = 0

    def submissions(self) -> Iterator[Batch]:
        """Yield what is to be sent, in the order in which it is."""
        while True:
            chunk = [self._batch() for _ in range(CHUNK_COUNT)]
            for batch in reversed(chunk) if self.habit.is_backwards else chunk:
                yield batch
                if self.habit.is_twice:
                    yield batch

    def _batch(self) -> Batch:
        batch = Batch(source=self.source)
        if self.habit.has_sequence:
            if self._chance.random() < REBOOT_SHARE:
                self._boot_epoch, self._sequence = self._boot_epoch + 1, 0
            self._sequence += 1
            batch.boot_epoch, batch.sequence = self._boot_epoch, self._sequence
        makers = [self._counter, self._signal, self._cell]
        if self.habit.has_sequence:
            makers.append(self._delta)
        for _ in range(self._chance.randint(1, ROW_COUNT_MAX)):
            self._chance.choice(makers)(batch)
        return batch

    def _counter(self, batch: Batch) -> None:
        """Add a cumulative reading: of a session that begins in the evening and goes on past midnight."""
        k = self._chance.randrange(SIM_COUNT)
        time_ms, session, up, down = self._counters[k]
        time_ms += self._chance.randint(1, 30 * MINUTE_MS)
        if time_ms >= START_MS:
            time_ms, session, up, down = EVENING_MS, session + 1, 0, 0
        up, down = up + self._chance.randrange(1 << 21), down + self._chance.randrange(1 << 24)
        self._counters[k] = [time_ms, session, up, down]
        batch.usage_readings.add(
            subscriber_key=self._sims[k],
            session=f"s{session}",
            observed_time_ms=time_ms,
            uplink_bytes=up,
            downlink_bytes=down,
        )

    def _delta(self, batch: Batch) -> None:
        k = self._chance.randrange(SIM_COUNT)
        reading = UsageReading(
            subscriber_key=self._sims[k],
            session="delta",
            observed_time_ms=self._chance.randrange(EVENING_MS, START_MS),
            uplink_bytes=self._chance.randrange(1 << 16),
            downlink_bytes=self._chance.randrange(DELTA_MAX_BYTES >> (SIM_COUNT - 1 - k)),
            counter_kind="COUNTER_KIND_DELTA",
            traffic_class=self._chance.choice(
                ("TRAFFIC_CLASS_METERED",) * 3 + ("TRAFFIC_CLASS_ZERO_RATED",)
            ),
        )
        if self._chance.random() < 0.3:
            held_ms = self._chance.randrange(8 * HOUR_MS)
            reading.interval_start_time_ms = reading.observed_time_ms - held_ms
        batch.usage_readings.append(reading)

    def _signal(self, batch: Batch) -> None:
        site = self._chance.choice(SITES)
        is_possible = self._chance.random() < 0.9
        level_dbm = -97 + self._chance.randint(-9, 9) if is_possible else LEVEL_IMPOSSIBLE_DBM
        batch.signal_readings.append(
            SignalReading(
                # Nobody is in two sites at once: the plausibility screen would set one of them aside.
                device_key=10 * SITES.index(site) + self._chance.randint(1, 9),
                observed_time_ms=self._chance.randrange(START_MS - 2 * HOUR_MS, START_MS),
                latitude_deg=site.latitude_deg + self._chance.uniform(-1e-3, 1e-3),
                longitude_deg=site.longitude_deg + self._chance.uniform(-1e-3, 1e-3),
                position_accuracy_m=8,
                rat="RAT_LTE",
                sim_plmn=NETWORK,
                serving_plmn=NETWORK,
                rsrp_dbm=level_dbm,
            )
        )

    def _cell(self, batch: Batch) -> None:
        batch.cell_reports.append(
            CellReport(
                plmn=NETWORK,
                cell_identity=self._chance.randrange(1 << 20),
                site_code=self._chance.choice(SITES).code,
                rat="RAT_LTE",
                observed_time_ms=self._chance.randrange(START_MS - HOUR_MS, START_MS),
                on_air=True,
                heartbeat_interval_ms=MINUTE_MS,
            )
        )
