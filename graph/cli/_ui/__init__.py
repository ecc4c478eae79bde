"""The local viewer: `nodespan ui`."""
