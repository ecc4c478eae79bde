"""Names made from the name of a class."""

from __future__ import annotations

import re


def spelled(class_name: str, separator: str) -> str:
    """Spell a model class's words in lower case, without what every chat model's name has."""
    name = re.sub(r"(ChatModel|Chat|Model)$|^Chat", "", class_name) or class_name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", separator, name).lower()
