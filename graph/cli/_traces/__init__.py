"""What the journal holds: `nodespan traces`, `nodespan trace` and `nodespan doctor`."""
