"""Takes spans over OTLP/HTTP into the journal, from any program in any language."""
