"""OpenTelemetry for LangChain and LangGraph."""
