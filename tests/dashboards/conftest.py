"""What tests of metrics share."""

import pytest

from phusong.collector.admission.doorkeeper import DoorCounts
from phusong.collector.counts import COMMIT_SECONDS_EDGES, IntakeCounts
from phusong.dashboards.exposition import Facts
from phusong.dashboards.exposition_intake import JournalFacts
from phusong.dashboards.verifier_lag import VerifierLag


@pytest.fixture
def quiet_facts() -> Facts:
    """A service that has just started."""
    buckets = (0,) * (len(COMMIT_SECONDS_EDGES) + 1)
    return Facts(
        software_version="0.1.0",
        connection_count=0,
        intake=IntakeCounts({}, {}, 0, 0.0, buckets, 0, 0),
        doors=DoorCounts({}, {}),
        ready={"intake": True, "journal": True, "verifier": True},
        journal=JournalFacts(),
        verifier_start_count=1,
        verifier_lag=VerifierLag(0, 0.0),
    )
