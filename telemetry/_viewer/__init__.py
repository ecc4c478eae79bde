"""The local viewer: a page on the journal, and the server that gives it what it shows."""
