"""Chat models for LangChain."""
