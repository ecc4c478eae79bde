"""Chat models as LangGraph nodes."""
