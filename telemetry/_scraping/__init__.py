"""The endpoint at which Prometheus fetches metrics: its server, and the reader that it asks."""
