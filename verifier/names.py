"""Dense row numbers for texts (operators, sources, site codes), in the order first seen."""

import numpy as np

from phusong.kernels.columns import Int64Column
from phusong.kernels.wire.text import text_hash


class Names:
    """A text's row number, and the text of a row."""

    def __init__(self, texts: list[str] | None = None) -> None:
        """Start empty, or from the texts of an earlier table in row order."""
        self.texts: list[str] = list(texts or [])
        self._row_of = {text: row for row, text in enumerate(self.texts)}
        self._hashes = np.zeros(0, np.int64)

    def __contains__(self, text: str) -> bool:
        """Tell whether a text has a row."""
        return text in self._row_of

    def row_of(self, text: str) -> int:
        """Return the row of a text, adding it when new."""
        row = self._row_of.get(text)
        if row is None:
            row = self._row_of[text] = len(self.texts)
            self.texts.append(text)
        return row

    def hashes(self) -> Int64Column:
        """Return the hash of every text, by row: the same in every process. There may be a million, so each is hashed once."""
        new = self.texts[len(self._hashes) :]
        if new:
            found = np.array([text_hash(text) for text in new], np.int64)
            self._hashes = np.concatenate((self._hashes, found))
        return self._hashes
