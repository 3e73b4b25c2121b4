"""Put this folder on the path, so that `from reference import …` finds the slow twins."""

import os
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# At home every run draws other examples, and a failure prints how to draw them again. Where CI says so, the same
# commit draws the same examples: a landing is not refused for what it did not change.
settings.register_profile("home", print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("home"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
