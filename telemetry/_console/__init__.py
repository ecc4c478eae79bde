"""A trace as a tree that people read, on a terminal or in a pipe."""
