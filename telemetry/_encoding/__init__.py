"""Spans and log records in OTLP encoding, by the official encoder, and spans as rows of a table."""
