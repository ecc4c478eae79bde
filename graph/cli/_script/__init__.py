"""A recorded trace as a Python test: `nodespan trace ID --as-script`."""
