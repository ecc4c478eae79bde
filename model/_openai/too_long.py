"""Whether a refusal means that the conversation is too long for the model (pure).

Few servers have a code for it, and each has words of its own. What they have in common: a word
for what was sent, one for how long it is, and one for a bound that it passes. What is told about
other limits (of the answer, of calls a minute, of a field) has words that give it away.
"""

from __future__ import annotations

import re
from typing import Any, Final

_CODE: Final = re.compile(
    r"context_?(?:length|window|size)|(?:input|prompt)_?(?:is_?)?too_?long|"
    r"max_?(?:input|prompt)_?tokens|^1261$",  # GLM's number
    re.IGNORECASE,
)
# What a message may begin with, whatever it is about.
_PREAMBLE: Final = re.compile(
    r"\b(?:input validation error|invalid (?:request|input|params?)(?:[ _]error)?)\W{0,3}",
    re.IGNORECASE,
)
_SENT: Final = re.compile(
    r"\b(?:context|prompt|inputs?|messages|conversation|request|requested tokens?)\b", re.IGNORECASE
)
_LENGTH: Final = re.compile(r"\b(?:length|long|window|size|tokens?)\b|超长", re.IGNORECASE)
_BOUND: Final = re.compile(
    r"exceed|too (?:long|large|many|big)|long(?:er)? than|(?:greater|larger|less) than|overflow|"
    r"maximum|not enough|<=|reduce|shorter|超长|should be \[",
    re.IGNORECASE,
)
_OTHER_LIMIT: Final = re.compile(
    r"per (?:min|day|hour)|rate limit|quota|characters|\b(?:string|array|image|file)\b|"
    r"(?:completion|output) tokens for|at most \d{1,12} completion|"
    r"^\W{0,3}max_\w{0,20}tokens\W{1,3}(?:must|should|:|>)|Range of max_",
    re.IGNORECASE,
)
_TOKENS_SENT: Final = re.compile(
    r"(?:input|prompt|messages?)\b[^.]{0,60}\btokens?|tokens?\b[^.]{0,40}(?:input|prompt|messages)|"
    r"messages\[\d{1,6}\]\.content\W{1,4}string too long",
    re.IGNORECASE,
)
_EXCEEDED: Final = re.compile(r"context[ _]?(?:window|length|size)[ _]?exceed", re.IGNORECASE)
_READ: Final = 2000


def names_too_long(code: Any) -> bool:
    """Whether a server's code, or its name for a kind of errors, says so."""
    return isinstance(code, (str, int)) and _CODE.search(str(code)) is not None


def says_too_long(message: str) -> bool:
    """Whether a server's words say so."""
    words = _PREAMBLE.sub("", message[:_READ])
    if _EXCEEDED.search(words):
        return True
    if _OTHER_LIMIT.search(words) and not _TOKENS_SENT.search(words):
        return False
    return all(pattern.search(words) for pattern in (_SENT, _LENGTH, _BOUND))
