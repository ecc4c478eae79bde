"""Tools and structured output, called natively or by schema."""
