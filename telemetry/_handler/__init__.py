"""The callback handler: what LangChain and LangGraph report, forwarded; it decides nothing."""
