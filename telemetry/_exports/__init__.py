"""A trace as a file: for other viewers, and for who has none."""
