"""From what a callback reports to what a span says."""
