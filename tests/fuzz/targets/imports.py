"""Any bytes as a text file to import: rows, refused rows, or a refusal of the file. The first byte says as which format.

Parquet files are read in a process of their own before they are believed, which is too slow for here; they are damaged byte
by byte in tests/collector/importing/test_damage.py.
"""

import contextlib
import tempfile
from pathlib import Path

from phusong.collector.importing.formats import FORMATS
from phusong.collector.importing.options import ImportFailed, ImportRefused
from reference.importing import imported

EXAMPLES = Path(__file__).parents[3] / "collector" / "importing" / "examples"
MEMORY_DISK = Path("/dev/shm")

file = tempfile.NamedTemporaryFile(  # noqa: SIM115 - as long as the process
    suffix=".csv", dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None
)


def seeds() -> list[bytes]:
    """Return the examples of the formats."""
    return [b"\0" + path.read_bytes() for path in sorted(EXAMPLES.glob("*.csv"))]


def one(data: bytes) -> None:
    """Import a file."""
    if not data or data[1:5] == b"PAR1":
        return
    Path(file.name).write_bytes(data[1:])
    with contextlib.suppress(ImportRefused, ImportFailed):
        imported(file.name, FORMATS[data[0] % len(FORMATS)])
