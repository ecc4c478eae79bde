"""All that a span says, of whatever convention, in the one form that the page shows."""
