"""Credentials, told by the names that they have and by the shapes that they come in (pure).

What they are is data, in `credentials.json` beside this module, with its sources. These files stand
in `nodespan.model` and in `nodespan.telemetry`, which do not know each other, and are the same to
the letter: a test holds them so.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .credential_shapes import REDACTED, RULES, compiled, shapes_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from re import Match

_NAMES: Final[dict[str, list[str]]] = RULES["names"]

# Commands with options that a shape knows.
COMMANDS: Final = frozenset(RULES["commands"])

_MAX_KEY_CHARACTERS: Final = 200
_SHORTEST: Final = 6
_SHORTEST_SHAPE: Final = 12

# Parts of a name that is written without its case and punctuation: `x-api-key` is `xapikey`.
_PUNCTUATION: Final = {ord(mark): None for mark in "-_. :/%"}
_ANYWHERE: Final = tuple(_NAMES["anywhere"])
_AT_THE_END: Final = tuple(_NAMES["at the end"])
_NOTHING: Final = tuple(_NAMES["nothing of the kind"])
# Such a name says where the credential lies, or how long it is, and not what it is.
_ELSEWHERE: Final = ("file", "filename", "path", "dir", "folder", "stdin", "length")
_ELSEWHERE_IN_CAMELS: Final = ("File", "Path", "Dir")
_WHOLE_WORDS: Final = tuple(_NAMES["whole words"])
_ISSUED: Final = tuple(f"{issuer}key" for issuer in _NAMES["issuers"])
_ACCOUNTS: Final = tuple(_NAMES["accounts of passes"])
_PASS: Final = "pass"  # noqa: S105 - a part of names
_AUTH: Final = "auth"
# The tokens of a tokenizer, and numbers of tokens, are no credentials.
_OF_TEXT: Final = tuple(f"{word}token" for word in _NAMES["tokens of text"])
# A key names a field or a place where the word before it says of what; else it opens a door.
_OF_DATA: Final = frozenset(_NAMES["keys of data"])
_OF_WORDS: Final = {"token": frozenset(_NAMES["tokens of text"]), "key": _OF_DATA}
_SMALL: Final = frozenset("abcdefghijklmnopqrstuvwxyz")

# Patterns are compiled where they are first needed.
_WORDS: Final = r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+"

# Where these two stand side by side in a record, the first names what the second is.
_NAMING: Final = ("name", "key", "field", "header", "variable", "parameter", "k")
_NAMED: Final = ("value", "val", "v", "content", "data")
_OF_PAIRS: Final = frozenset((*_NAMING, *_NAMED))
_PAIR: Final = 2

_URL_PARAMETERS: Final = frozenset({"sig", "key", "code"})

# In these words do the names of credentials end or begin; nothing else is looked at more closely.
_HINTS: Final = (
    *("key", "auth", "pass", "pwd", "pw", "secret", "cred", "token", "cookie"),
    *("sig", "bearer", "jwt", "dsn", "connection", "code"),
)
_NAME_CHARACTER: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.%-"
)
_MOST_BEFORE_HINT: Final = 64
# What follows a name, up to the value: `": "`, `='`, `: str = "`, `", "value": "`, ` => `, ` `.
# Every repetition is bounded: the search is linear in any text.
_FOLLOWS: Final = r"""(?P<rest>[\w.%-]{0,64}+)(?P<close>\\{0,32}["'])?
    (?:\s{0,8}(?::\s?[A-Za-z][\w.\[\]|\ ]{0,40}=(?!=)|:=|=>|=(?!=)|:(?![:/]))\s{0,8}
      |(?P<pair>\s{0,8},\s{0,8}(?:\\{0,32}["'](?i:value|val|v|content|data)\\{0,32}["']\s{0,8}:\s{0,8})?
        |\s{1,8}(?i:value|val)=)
      |(?P<record>\s{0,4}\n[ ]{0,40}(?i:value|val):[ ]{1,8})
      |(?P<element>>)|(?P<flag>\ (?:is:?\ )?))
    (?P<quote>\\{0,32}["'])?"""
_AFTER_HINT: Final = f"(?x){_FOLLOWS}"
_AFTER_HINT_OF_NO_OPTION: Final = _AFTER_HINT.replace(
    r"(?P<flag>\ (?:is:?\ )?)", r"(?P<flag>\ is:?\ )"
)
# One of these stands where a name in a text has a value.
_MARKS: Final = ("=", ":", ",", "--", " is ", "</")
_NAMED_BEFORE: Final = r"""(?i)(?:name|key|field|header|variable|parameter)\s?[:=]\s{0,8}["']?\Z"""
# A value of YAML in lines of its own, with its tag or anchor before it.
_BLOCK: Final = (
    r"[|>][-+\d]{0,2}[ \t]{0,8}\r?\n(?:[ \t]{0,40}\r?\n){0,8}(?P<indent>[ \t]{1,40})"
    r"(?P<value>[^\r\n]+(?:\r?\n(?:(?P=indent)[^\r\n]*|[ \t]*(?=\r?\n)))*)"
)
_EMPTY_BLOCK: Final = r"[|>][-+\d]{0,2}[ \t]{0,8}(?:\r?\n|\Z)"
_TAG: Final = r"[&!][\w!:.-]{0,64}[ \t]{1,8}"
# What begins a line, and is no value of the one before: a key, or an entry of a list.
_ANOTHER_LINE: Final = r"""["']?[\w.$-]{1,64}["']?[ ]?:(?:\s|\Z)|-\s"""
_IN_ELEMENT: Final = r"[^<]+"
_WORD_BEFORE: Final = r"([A-Za-z]{1,20}) {1,2}\Z"
_COOKIES: Final = r"""[^\r\n"']+"""
_BARE: Final = r"""(?:[^\s"'<>\\]|\\(?![nrt"'\\]))+"""
_IN_URL: Final = r"""[^\s&"'<>#;,()\\]+"""
_AFTER_SCHEME: Final = r"(?i)(?:basic|bearer|digest|token|apikey|negotiate)\s+"
_TRAILING: Final = ",;.)]}"
# Types, words without a secret and the places that a template fills in.
_NO_VALUE: Final = (
    r"(?i)(?:str|string|int|bool|float|bytes|none|null|nil|true|false|optional|any|dict|list|object|"
    r"secretstr|undefined|required|\*+|redacted|\{{1,2}\s?\w*\s?\}{1,2}|\$\{\w+\}|\$[A-Z_]+)(?![\w-])"
)
_BEFORE_CLOSING: Final = r"(?<!\\)(\\*+)"
# A key in a text is the one of a lock only where it looks like one.
_RANDOM: Final = r"(?=[^\s\d]{0,64}\d)(?=[^\sA-Za-z]{0,64}[A-Za-z])\S{8}"


def is_credential_key(key: str) -> bool:
    """Say whether a *key* looks like the name of a credential."""
    if len(key) > _MAX_KEY_CHARACTERS:
        key = key[:_MAX_KEY_CHARACTERS] + key[-_MAX_KEY_CHARACTERS:]
    return _is_credential_key(key)


def names_next(item: object, size: int) -> bool:
    """Say whether an *item* of a list of that *size* is the name of a credential, and the next it.

    So in a pair, such as `("Authorization", "Basic ...")`, and in arguments of a command, such as
    `["--api-key", "..."]`.
    """
    if type(item) is not str or not (size == _PAIR or item.startswith("-")):
        return False
    return is_credential_key(item)


def key_of_named(record: Iterable[tuple[object, object]]) -> str | None:
    """Return under which key a *record* has a credential whose name it tells under another.

    `{"name": "Authorization", "value": "Basic ..."}` is such a record.
    """
    texts: dict[str, tuple[str, object]] = {}
    for key, value in record:
        if type(key) is str and (folded := key.lower()) in _OF_PAIRS:
            texts[folded] = key, value
    for naming in _NAMING:
        _, name = texts.get(naming, (naming, None))
        if isinstance(name, str) and is_credential_key(name):
            return next((texts[named][0] for named in _NAMED if named in texts), None)
    return None


def without_credentials(text: str) -> str:
    """Return *text* with what looks like a credential in it replaced by `REDACTED`."""
    if len(text) < _SHORTEST:
        return text
    if len(text) >= _SHORTEST_SHAPE:
        for shape in shapes_in(text):
            text = shape.hidden(text)
    if any(mark in text for mark in _MARKS):
        text = _without_named(text)
    return text


@lru_cache(maxsize=2_048)
def _is_credential_key(key: str) -> bool:
    key = key.removesuffix("\n")
    return not _is_elsewhere(key) and (_is_strong(key) or _is_key_to_something(key))


def _is_elsewhere(key: str) -> bool:
    in_snakes = [before for text in (key, key.lower()) for before in _before(text, _ELSEWHERE)]
    in_camels = _before(key, _ELSEWHERE_IN_CAMELS)
    return any(each and each not in _SMALL for each in in_snakes) or any(
        each in _SMALL for each in in_camels
    )


def _is_strong(key: str) -> bool:
    lowered = key.lower()
    name = lowered.translate(_PUNCTUATION)
    for part in _NOTHING:
        name = name.replace(part, "")
    if any(part in name for part in _ANYWHERE) or _is_auth(lowered) or name.endswith(_ISSUED):
        return True
    if _is_pass(lowered) or name == _PASS or _has_word_at_end(lowered, _WHOLE_WORDS):
        return True
    return name.endswith(_AT_THE_END) and not name.endswith(_OF_TEXT)


def _is_auth(lowered: str) -> bool:
    after = lowered.removeprefix(_AUTH)
    begins = after not in ("", lowered) and after[0] not in _SMALL
    return begins or _has_word_at_end(lowered, (_AUTH,))


def _is_pass(lowered: str) -> bool:
    account = lowered.removesuffix(_PASS)
    return account != lowered and _has_word_at_end(account.removesuffix("_"), _ACCOUNTS)


def _has_word_at_end(text: str, words: tuple[str, ...]) -> bool:
    """Say whether a text ends with one of these words, before which no letter stands."""
    return any(before not in _SMALL for before in _before(text, words))


def _before(text: str, words: tuple[str, ...]) -> list[str]:
    """Return which character stands before each of these words that a text ends with, if any."""
    return [text[: -len(word)][-1:] for word in words if text.endswith(word)]


def _is_key_to_something(key: str) -> bool:
    if "key" not in key.lower():
        return False
    words = [word.lower() for word in compiled(_WORDS).findall(key)]
    return words[-1:] == ["key"] and not _OF_DATA.intersection(words[-2:-1])


def _without_named(text: str) -> str:
    """Replace the values that stand in a text behind the name of a credential."""
    # The one capital whose small letter takes two places.
    lowered = text.replace("\u0130", "I").lower()
    # Nothing but a space follows only the names of options.
    after_hint = _AFTER_HINT if "--" in text else _AFTER_HINT_OF_NO_OPTION
    kept, at = [], 0
    for begin, end in _hints_in(lowered):
        if begin < at or (after := compiled(after_hint).match(text, end)) is None:
            continue
        if (place := _value_at(text, begin, after)) is not None:
            kept += [text[at : place[0]], REDACTED]
            at = place[1]
    return "".join([*kept, text[at:]]) if kept else text


def _hints_in(lowered: str) -> list[tuple[int, int]]:
    """List from where to where each hint stands, in order."""
    found = []
    for hint in _HINTS:
        at, size = lowered.find(hint), len(hint)
        while at >= 0:
            found.append((at, at + size))
            at = lowered.find(hint, at + size)
    found.sort()
    return found


def _value_at(text: str, hint: int, after: Match[str]) -> tuple[int, int] | None:
    """Return from where to where the value of a name goes, if it is a credential's."""
    begin = _begin_of_name(text, hint)
    name = text[begin : after.end("rest")]
    if after["record"] is not None and not _is_named_before(text, begin):
        return None
    if after["element"] is not None:
        return _value_of_element(text, begin, name, after.end("element"))
    if after["quote"] is not None:
        return _quoted_value(text, begin, name, after)
    return _unquoted_value(text, begin, name, after)


def _unquoted_value(text: str, begin: int, name: str, after: Match[str]) -> tuple[int, int] | None:
    if after["pair"] is not None or not _is_option(name, after):
        return None
    if text[begin - 1 : begin] in ("?", "&"):
        is_told = name.lower() in _URL_PARAMETERS or is_credential_key(name)
        return _span(compiled(_IN_URL).match(text, after.end())) if is_told else None
    if _is_one_of_text(text, begin, name):
        return None
    is_said = (after["flag"] or "").strip() != ""
    begins_line = after["record"] is None and "\n" in after[0]
    if begins_line and compiled(_ANOTHER_LINE).match(text, after.end()):
        return None
    return _bare_value(text, name, after.end(), is_certain=not is_said)


def _is_named_before(text: str, begin: int) -> bool:
    """Say whether what stands before a name tells that it is one: `name: `."""
    least = max(begin - _MOST_BEFORE_HINT, 0)
    return compiled(_NAMED_BEFORE).search(text, least, begin) is not None


def _value_of_element(text: str, begin: int, name: str, end: int) -> tuple[int, int] | None:
    """Return where the text of an element of XML is, `<password>...</password>`."""
    if text[begin - 1 : begin] != "<" or not is_credential_key(name):
        return None
    is_told = _is_strong(name) or compiled(_RANDOM).match(text, end)
    return _span(compiled(_IN_ELEMENT).match(text, end)) if is_told else None


def _is_one_of_text(text: str, begin: int, name: str) -> bool:
    """Say whether the word before it makes a name that of something else: `the first token`."""
    kind = _OF_WORDS.get(name.lower())
    before = compiled(_WORD_BEFORE).search(text, max(begin - 22, 0), begin) if kind else None
    return before is not None and before[1].lower() in (kind or ())


def _is_option(name: str, after: Match[str]) -> bool:
    """Say whether nothing but a space follows a name only where it is an option's, `--name`."""
    if after["flag"] is None or after["flag"].strip():
        return True
    return name.startswith("--") and not after["close"]


def _quoted_value(text: str, begin: int, name: str, after: Match[str]) -> tuple[int, int] | None:
    if not is_credential_key(name) or not _is_option(name, after):
        return None
    if after["pair"] is not None and not (after["close"] and _is_pair(text, begin, after["pair"])):
        return None
    mark = after["quote"]
    if text.startswith(mark * 2, after.end()):  # in three of them, a text of several lines
        begins, end = after.end() + 2, text.find(mark * 3, after.end() + 2)
        return begins, end if end >= 0 else len(text)
    end = _end_of_quoted(text, after.end(), after["quote"])
    # A bare key may well be the key to what stands beside it, or its name.
    if name.lower() == "key":
        value = text[after.end() : end]
        if is_credential_key(value) or not compiled(_RANDOM).match(value):
            return None
    return after.end(), end


def _begin_of_name(text: str, at: int) -> int:
    least = max(at - _MOST_BEFORE_HINT, 0)
    while at > least and text[at - 1] in _NAME_CHARACTER:
        at -= 1
    return at


def _is_pair(text: str, begin: int, between: str) -> bool:
    """Say whether two quoted texts are a pair: of a record, or alone between brackets."""
    if between.strip() != ",":
        return True
    return text[max(begin - _MOST_BEFORE_HINT, 0) : begin].rstrip("\\\"'")[-1:] in ("(", "[")


def _bare_value(text: str, name: str, begin: int, *, is_certain: bool) -> tuple[int, int] | None:
    if name.lower().endswith("cookie"):
        return _span(compiled(_COOKIES).match(text, begin))
    if tag := compiled(_TAG).match(text, begin):
        begin = tag.end()
    if block := compiled(_BLOCK).match(text, begin):
        is_told = _is_strong(name) or compiled(_RANDOM).match(text, block.start("value"))
        return block.span("value") if is_credential_key(name) and is_told else None
    if compiled(_EMPTY_BLOCK).match(text, begin):
        return None
    if scheme := compiled(_AFTER_SCHEME).match(text, begin):
        begin = scheme.end()
    if not is_credential_key(name) or compiled(_NO_VALUE).match(text, begin):
        return None
    is_certain = is_certain and (_is_strong(name) or name[:2].lower() == "x-")
    is_told = is_certain or compiled(_RANDOM).match(text, begin)
    value = compiled(_BARE).match(text, begin) if is_told else None
    return (begin, begin + len(value[0].rstrip(_TRAILING))) if value else None


def _span(found: Match[str] | None) -> tuple[int, int] | None:
    return found.span() if found else None


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where a quoted value ends: at its quote, or at one of the text around it."""
    mark, slashes = quote[-1], len(quote) - 1
    for closing in compiled(_BEFORE_CLOSING + mark).finditer(text, start):
        # In JSON within JSON, quotes inside a value have more backslashes before them.
        if (len(closing[1]) <= slashes) if slashes else (len(closing[1]) % 2 == 0):
            return closing.end() - 1 - min(len(closing[1]), slashes)
    return len(text)
