"""Tools that a user of the command might have in a file of their own, good ones and bad ones."""

import time
from io import StringIO

from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import tool
from langgraph.types import interrupt


def count_letters(word: str) -> int:
    """Count the letters of a word."""
    return len(word)


@tool
async def spell(word: str) -> str:
    """Spell a word."""
    return "-".join(word)


@tool(return_direct=True)
def shout(word: str) -> str:
    """Shout a word, which needs no more words."""
    return word.upper()


def ask_another(word: str) -> str:
    """Ask another model about a word."""
    return FakeListChatModel(responses=[f"another model knows {word}"]).invoke(word).text


def ask_human(word: str) -> str:
    """Ask somebody who is not there."""
    return str(interrupt(word))


def fail(word: str) -> str:
    """Fail whatever the word is."""
    raise ConnectionError(f"no dictionary has {word}")


def sleep(word: str) -> str:
    """Sleep over a word for longer than any test waits."""
    print("Asleep.", flush=True)  # noqa: T201 - a test waits for it
    time.sleep(1_000)
    return word


def undescribed(word: str) -> str:  # noqa: D103 - a model is told as little
    return word


def untyped(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - a model is told as little
    """Do something with a word."""
    return word


def unknown(word: StringIO) -> str:
    """Take something that no model can give."""
    return word.read()


number = 3
