"""Pure functions of arrays: bytes to columns, columns to state. No clock, file, socket or log."""
