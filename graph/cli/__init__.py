"""The `nodespan` command."""
