"""What the journal holds: `nodespan traces` and `nodespan trace`."""
