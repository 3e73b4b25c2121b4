"""The journal, writing side: SQLite segments, one writer, group commit, chain of hashes."""
