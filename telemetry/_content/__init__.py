"""The only door through which text reaches a signal."""
