"""The journal: spans and what became of them, in a SQLite file that outlives the process."""
