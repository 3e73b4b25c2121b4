"""What the plan leaves open about the free volume, as configuration with its reasons (DOMAIN §3)."""

import hashlib
import json
from dataclasses import asdict, dataclass

# "4Gb a day": read as 4 GiB, the reading that favours the pupil.
QUOTA_BYTES_DEFAULT = 4 * 2**30
# The other reading of the same words, 4 GB; every report tells what it would mean.
QUOTA_BYTES_DECIMAL = 4 * 10**9
THRESHOLDS_PERCENT = (50, 80, 100)
PERCENT = 100
# In int64, and no day of one radio reaches it.
QUOTA_MAX_BYTES = 2**60


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """The free volume of a day."""

    quota_bytes: int = QUOTA_BYTES_DEFAULT

    def __post_init__(self) -> None:
        """Refuse a quota that is none."""
        if not 0 < self.quota_bytes <= QUOTA_MAX_BYTES:
            raise ValueError(f"quota_bytes is {self.quota_bytes}, expected 1 to {QUOTA_MAX_BYTES}")

    @property
    def threshold_bytes(self) -> list[int]:
        """The fewest bytes that reach each threshold."""
        return [-(-self.quota_bytes * percent // PERCENT) for percent in THRESHOLDS_PERCENT]

    @property
    def digest(self) -> str:
        """Names these settings; a state derived under others answers another question."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
