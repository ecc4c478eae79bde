"""Spans and log records in OTLP encoding, by the official encoder."""
