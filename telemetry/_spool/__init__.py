"""The way of the journal's spans and log records to an endpoint, however long it is away."""
