"""Credentials, known by the names that they have and by the shapes that they come in (pure)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from re import Match

REDACTED: Final = "REDACTED"

_MAX_KEY_CHARACTERS: Final = 200

# Parts of a name that is written without its case and punctuation: `x-api-key` is `xapikey`.
_NAME_PARTS: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "authorization",
    "authentication",
    "bearer",
    "cookie",
    "signature",
    "connectionstring",
    "apikey",
    "accesskey",
    "privatekey",
    "sessionkey",
    "subscriptionkey",
    "accountkey",
    "signingkey",
    "encryptionkey",
    "licensekey",
    "passcode",
)
_NAME_ENDINGS: Final = ("token", "pwd", "jwt", "dsn", "creds")
# Most keys name a field or a place; one that is named for who has issued it opens a door.
_ISSUED: Final = re.compile(
    r"(?:anthropic|aws|azure|cohere|deepseek|fireworks|gcp|gemini|google|groq|huggingface"
    r"|lang(?:fuse|smith)|mistral|open(?:ai|router)|perplexity|pinecone|serper|tavily|together"
    r"|voyage|xai)key$"
)
# The tokens of a tokenizer, and numbers of tokens, are no credentials.
_HARMLESS: Final = re.compile(
    r"(?:bos|eos|pad|unk|sep|cls|mask|start|stop|end|first|last|next|special|per|max|min)token$"
)
_AUTH: Final = re.compile(r"(?:^|[^a-z])auth$|^auth[^a-z]", re.IGNORECASE)
_PUNCTUATION: Final = {ord(mark): None for mark in "-_. :/"}

_URL_PARAMETERS: Final = frozenset({"sig", "key", "code"})

# Each pattern is tried where its hint is in the text; none of them looks at a character more
# than a few times, whatever the text is.
_SHAPES: Final = tuple(
    (hint, re.compile(pattern, re.DOTALL))
    for hint, pattern in (
        ("://", r"(?<=://)[^/?#\s@]+(?=@)"),
        ("earer ", r"(?i)(?<=bearer )(?=[^\s\d]{0,200}\d)[\w.~+/=-]{8,}"),
        ("uthorization", r"(?i)(?<=authorization)(?P<name>\s?[:=]\s?(?:[a-z]+ )?)[^\s\"',;]+"),
        ("sk-", r"(?<![\w-])sk-[\w-]{12,}"),
        ("gh", r"(?<![\w-])gh[pousr]_\w{20,}"),
        ("github_pat_", r"(?<![\w-])github_pat_\w{20,}"),
        ("hf_", r"(?<![\w-])hf_\w{20,}"),
        ("lsv2_", r"(?<![\w-])lsv2_\w{20,}"),
        ("xox", r"(?<![\w-])xox[a-z]-[\w-]{10,}"),
        ("AKIA", r"(?<![\w-])AKIA[0-9A-Z]{16}"),
        ("AIza", r"(?<![\w-])AIza[\w-]{30,}"),
        ("eyJ", r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?"),
        ("PRIVATE KEY-----", r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END|\Z)"),
    )
)
_SHORTEST_SHAPE: Final = 12

# `"password": "` as in JSON, in JSON within JSON too, and `password='` as in a `repr`.
_QUOTED: Final = re.compile(r"""(?<![\w.-])([\w.-]+)\\*["']?\s*[:=]\s*(\\*["'])""")
_VALUES: Final = {
    quote: re.compile(rf"[^{quote}\\]*(?:\\.[^{quote}\\]*)*", re.DOTALL) for quote in ("'", '"')
}
# `password=...` as in a URL or an environment.
_ASSIGNED: Final = re.compile(r"""(?<![\w.%-])([\w.%-]+)=[^\s&"'<>#;,()\\]+""")
_NAME_HINTS: Final = (
    *("key", "auth", "pass", "pwd", "secret", "cred", "token", "cookie"),
    *("sig", "bearer", "jwt", "dsn", "connection", "code"),
)


def is_credential_key(key: str) -> bool:
    """Say whether a *key* looks like the name of a credential."""
    if len(key) > _MAX_KEY_CHARACTERS:
        key = key[:_MAX_KEY_CHARACTERS] + key[-_MAX_KEY_CHARACTERS:]
    return _is_credential_key(key)


def without_credentials(text: str) -> str:
    """Return *text* with what looks like a credential in it replaced by `REDACTED`."""
    if len(text) < _SHORTEST_SHAPE:
        return text
    for hint, shape in _SHAPES:
        if hint in text:
            text = shape.sub(_redacted_shape, text)
    if _may_name_credential(text):
        text = _ASSIGNED.sub(_redacted_assigned, _without_quoted(text))
    return text


@lru_cache(maxsize=2_048)
def _is_credential_key(key: str) -> bool:
    name = key.lower().translate(_PUNCTUATION)
    if any(part in name for part in _NAME_PARTS) or _AUTH.search(key) or _ISSUED.search(name):
        return True
    return name.endswith(_NAME_ENDINGS) and not _HARMLESS.search(name)


def _may_name_credential(text: str) -> bool:
    has_assignment = "=" in text or (":" in text and ('"' in text or "'" in text))
    return has_assignment and _holds_hint(text.lower())


def _holds_hint(lowered: str) -> bool:
    return any(hint in lowered for hint in _NAME_HINTS)


def _redacted_shape(found: Match[str]) -> str:
    return found.groupdict().get("name", "") + REDACTED


def _redacted_assigned(found: Match[str]) -> str:
    name = found[1]
    before = found.string[max(found.start() - 1, 0) : found.start()]
    is_in_url = before in ("?", "&") and name.lower() in _URL_PARAMETERS
    return f"{name}={REDACTED}" if is_in_url or is_credential_key(name) else found[0]


def _without_quoted(text: str) -> str:
    kept, at = [], 0
    for found in _QUOTED.finditer(text):
        if found.start() >= at and is_credential_key(found[1]):
            kept += [text[at : found.end()], REDACTED]
            at = _end_of_quoted(text, found.end(), found[2])
    return "".join([*kept, text[at:]])


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    if quote in _VALUES:
        value = _VALUES[quote].match(text, start)
        return value.end() if value else start
    # In JSON within JSON, quotes inside a value have more backslashes before them.
    closing = re.compile(r"(?<!\\)" + re.escape(quote)).search(text, start)
    return closing.start() if closing else len(text)
