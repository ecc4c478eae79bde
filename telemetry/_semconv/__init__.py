"""The conventions' names, in both editions."""
