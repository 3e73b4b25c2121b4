"""A history made by hand in which all went well, for tests that make it go wrong."""

from collections import defaultdict

from history.answers import Answers
from history.devices import SITES, TODAY, YESTERDAY, Device, Habit
from history.expected import count_copies, gap_count, outcome_of, raw_counts, steps, used
from history.journal import Envelope
from history.record import Record
from history.totals import day_number, day_text

from phusong.v1.enforcement_pb2 import Action, Decision
from phusong.v1.ingest_pb2 import Receipt
from phusong.v1.journal_pb2 import PayloadKind

BATCH_COUNT = 100


class Sound:
    """A history of one device in which all went well; the fifth batch came twice."""

    def __init__(self):
        self.record = Record()
        device = Device(0, "viettel", 7, Habit())
        self.record.devices["viettel"] = device
        self.envelopes = []
        batches = device.submissions()
        for number in range(1, BATCH_COUNT + 1):
            self.take(next(batches), number)
        self.take(list(self.record.entries.values())[4].batch, BATCH_COUNT + 1, is_repeat=True)
        self.record.ascending.append(("PUBACKs", [1, 2, 3]))

    def take(self, batch, sequence, *, is_repeat=False):
        entry = self.record.entry(self.record.devices["viettel"], batch)
        taken, duplicate, refused = outcome_of(batch, is_repeat=is_repeat)
        entry.sent_count_max += 1
        entry.acknowledge(
            Receipt(
                journal_sequence=sequence,
                accepted_count=taken,
                duplicate_count=duplicate,
                refused_count=refused,
            )
        )
        payload = batch.SerializeToString()
        kind = PayloadKind.PAYLOAD_KIND_BATCH
        self.envelopes.append(Envelope(sequence, "viettel", "device-1", "grpc", kind, payload))

    def answers(self):
        """Answer as a service does that has lost nothing."""
        found = Answers(self.envelopes, 0, defaultdict(lambda: defaultdict(int)), {}, {}, {})
        entries = used(found.batches())
        decisions = self.decide(entries)
        kind = PayloadKind.PAYLOAD_KIND_DECISION
        self.envelopes += [
            Envelope(BATCH_COUNT + 2, "viettel", "", "service", kind, d.SerializeToString())
            for d in decisions
        ]
        self.record.decisions["viettel over gRPC"] = decisions
        counts = count_copies(found.copies_after(0))["viettel"]
        by_metric = {
            "phusong_verifier_taken_rows_total": counts.taken,
            "phusong_verifier_duplicate_rows_total": counts.duplicate,
            "phusong_verifier_refused_rows_total": counts.refused,
            "phusong_collector_accepted_rows_total": counts.taken,
            "phusong_collector_duplicate_rows_total": counts.duplicate,
            "phusong_collector_refused_total": counts.refused,
            "phusong_collector_received_payloads_total": len(self.envelopes),
        }
        for name, value in by_metric.items():
            found.metrics[name]["viettel"] = value
        found.stat = {
            "received": counts.received,
            "taken": counts.taken,
            "duplicate": counts.duplicate,
            "refused": {"LEVEL_OUT_OF_RANGE": counts.refused},
            "sequence_gaps": gap_count(found.batches()),
        }
        found.quota = {day: {"sims": rows_of_day(entries, day)} for day in (TODAY, YESTERDAY)}
        raw = raw_counts([batch for _, batch in found.batches()])
        found.coverage = {
            "sites": [
                {
                    "site_code": site.code,
                    "counts": {"raw": raw[site.latitude_deg, site.longitude_deg]},
                }
                for site in SITES
            ]
        }
        return found

    @staticmethod
    def decide(entries):
        today = sorted(steps(entries, day_number(TODAY)))
        assert today, "the device crosses a quota"
        return [
            Decision(
                operator="viettel",
                position=position,
                decision_key=f"{TODAY}/{sim}/{Action.Name(action)}/{threshold}",
                subscriber_key=sim,
                action=action,
                threshold_percent=threshold,
            )
            for position, (sim, action, threshold) in enumerate(today, 1)
        ]


def rows_of_day(entries, day):
    return [
        {
            "sim": str(sim),
            "used_bytes": entry["metered"],
            "zero_rated_bytes": entry["zero_rated"],
            "indeterminate_bytes": entry["indeterminate"],
        }
        for (sim, number), entry in entries.items()
        if day_text(number) == day
    ]
