"""What stands for a segment that is not there any more, as text and back. Pure; files are elsewhere.

`segment-00000007.absent`, JSON, beside the signed note of the segment, which stays: the note says what the segment held, this says
since when and why it is gone.
"""

import json
from typing import NamedTuple

PRUNED = "pruned"
ISOLATED = "isolated"


class Absence(NamedTuple):
    """A segment that was taken away by a command."""

    kind: str  # PRUNED, ISOLATED
    segment: int
    first_sequence: int
    last_sequence: int
    previous_chain: str  # of the frame before, hex; "" where it is not known
    chain: str  # of the last frame, hex
    root: str  # Merkle root over its frames, hex
    size_bytes: int
    time: str
    command: str


def encode_absence(absence: Absence) -> bytes:
    """Return what a file holds."""
    return json.dumps(absence._asdict(), indent=1).encode() + b"\n"


def decode_absence(content: bytes) -> Absence | None:
    """Return what a file says, None where it says nothing of the kind."""
    try:
        fields = json.loads(content)
        absence = Absence(**fields)
    except (ValueError, TypeError):
        return None
    is_typed = all(isinstance(value, type_) for value, type_ in zip(absence, _TYPES, strict=True))
    return absence if is_typed and absence.kind in {PRUNED, ISOLATED} else None


_TYPES = (str, int, int, int, str, str, str, int, str, str)
