"""`python -m phusong.dashboards.boards FOLDER`: write the dashboards, as `make dashboards` does."""

import sys
from pathlib import Path

from phusong.dashboards.boards.files import dashboards, file_text

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
for name, dashboard in dashboards().items():
    (folder / name).write_text(file_text(dashboard), encoding="utf-8")
