"""A LangChain chat model, made from one generator."""
