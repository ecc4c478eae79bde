"""Credentials, told by the names that they have and by the shapes that they come in (pure).

What they are is data, in `credentials.json` beside this module, with its sources. Both files stand
in `nodespan.model` and in `nodespan.telemetry`, which do not know each other, and are the same to
the letter: a test holds them so.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from re import Match

REDACTED: Final = "REDACTED"

_RULES: Final = json.loads(Path(__file__).with_name("credentials.json").read_text("utf-8"))
_NAMES: Final[dict[str, list[str]]] = _RULES["names"]

# Commands with options that a shape knows.
COMMANDS: Final = frozenset(_RULES["commands"])

_MAX_KEY_CHARACTERS: Final = 200
_SHORTEST: Final = 6
_SHORTEST_SHAPE: Final = 12

# Parts of a name that is written without its case and punctuation: `x-api-key` is `xapikey`.
_PUNCTUATION: Final = {ord(mark): None for mark in "-_. :/%"}
_ANYWHERE: Final = tuple(_NAMES["anywhere"])
_AT_THE_END: Final = tuple(_NAMES["at the end"])
_NOTHING: Final = re.compile("|".join(_NAMES["nothing of the kind"]))
# Such a name says where the credential lies, or how long it is, and not what it is.
_ELSEWHERE: Final = re.compile(
    r"(?:[^a-z](?:file|filename|path|dir|folder|stdin|length)|[a-z](?:File|Path|Dir))$",
)
_WHOLE_WORD: Final = re.compile(rf"(?:^|[^a-z])(?:{'|'.join(_NAMES['whole words'])})$")
_ISSUED: Final = re.compile(rf"(?:{'|'.join(_NAMES['issuers'])})key$")
_PASS: Final = re.compile(rf"(?:^|[^a-z])(?:{'|'.join(_NAMES['accounts of passes'])})_?pass$")
_AUTH: Final = re.compile(r"(?:^|[^a-z])auth$|^auth[^a-z]", re.IGNORECASE)
# The tokens of a tokenizer, and numbers of tokens, are no credentials.
_OF_TEXT: Final = re.compile(rf"(?:{'|'.join(_NAMES['tokens of text'])})token$")
# A key names a field or a place where the word before it says of what; else it opens a door.
_OF_DATA: Final = frozenset(_NAMES["keys of data"])
_OF_WORDS: Final = {"token": frozenset(_NAMES["tokens of text"]), "key": _OF_DATA}
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

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
_AFTER_HINT: Final = re.compile(_FOLLOWS, re.VERBOSE)
_AFTER_HINT_OF_NO_OPTION: Final = re.compile(
    _FOLLOWS.replace(r"(?P<flag>\ (?:is:?\ )?)", r"(?P<flag>\ is:?\ )"), re.VERBOSE
)
# One of these stands where a name in a text has a value.
_MARKS: Final = ("=", ":", ",", "--", " is ", "</")
_NAMED_BEFORE: Final = re.compile(
    r"""(?:name|key|field|header|variable|parameter)\s?[:=]\s{0,8}["']?\Z""", re.IGNORECASE
)
# A value of YAML in lines of its own, with its tag or anchor before it.
_BLOCK: Final = re.compile(
    r"[|>][-+\d]{0,2}[ \t]{0,8}\r?\n(?:[ \t]{0,40}\r?\n){0,8}(?P<indent>[ \t]{1,40})"
    r"(?P<value>[^\r\n]+(?:\r?\n(?:(?P=indent)[^\r\n]*|[ \t]*(?=\r?\n)))*)"
)
_EMPTY_BLOCK: Final = re.compile(r"[|>][-+\d]{0,2}[ \t]{0,8}(?:\r?\n|\Z)")
_TAG: Final = re.compile(r"[&!][\w!:.-]{0,64}[ \t]{1,8}")
# What begins a line, and is no value of the one before: a key, or an entry of a list.
_ANOTHER_LINE: Final = re.compile(r"""["']?[\w.$-]{1,64}["']?[ ]?:(?:\s|\Z)|-\s""")
_IN_ELEMENT: Final = re.compile(r"[^<]+")
_WORD_BEFORE: Final = re.compile(r"([A-Za-z]{1,20}) {1,2}\Z")
_COOKIES: Final = re.compile(r"""[^\r\n"']+""")
_BARE: Final = re.compile(r"""(?:[^\s"'<>\\]|\\(?![nrt"'\\]))+""")
_IN_URL: Final = re.compile(r"""[^\s&"'<>#;,()\\]+""")
_AFTER_SCHEME: Final = re.compile(
    r"(?:basic|bearer|digest|token|apikey|negotiate)\s+", re.IGNORECASE
)
_TRAILING: Final = ",;.)]}"
# Types, words without a secret and the places that a template fills in.
_NO_VALUE: Final = re.compile(
    r"(?:str|string|int|bool|float|bytes|none|null|nil|true|false|optional|any|dict|list|object|"
    r"secretstr|undefined|required|\*+|redacted|\{{1,2}\s?\w*\s?\}{1,2}|\$\{\w+\}|\$[A-Z_]+)(?![\w-])",
    re.IGNORECASE,
)
# A key in a text is the one of a lock only where it looks like one.
_RANDOM: Final = re.compile(r"(?=[^\s\d]{0,64}\d)(?=[^\sA-Za-z]{0,64}[A-Za-z])\S{8}")


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
        for shape in _shapes_in(text):
            text = shape.hidden(text)
    if any(mark in text for mark in _MARKS):
        text = _without_named(text)
    return text


@lru_cache(maxsize=2_048)
def _is_credential_key(key: str) -> bool:
    if _ELSEWHERE.search(key) or _ELSEWHERE.search(key.lower()):
        return False
    return _is_strong(key) or _is_key_to_something(key)


def _is_strong(key: str) -> bool:
    name = key.lower().translate(_PUNCTUATION)
    name = _NOTHING.sub("", name)
    if any(part in name for part in _ANYWHERE) or _AUTH.search(key) or _ISSUED.search(name):
        return True
    if _PASS.search(key.lower()) or name == "pass" or _WHOLE_WORD.search(key.lower()):
        return True
    return name.endswith(_AT_THE_END) and not _OF_TEXT.search(name)


def _is_key_to_something(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return words[-1:] == ["key"] and not _OF_DATA.intersection(words[-2:-1])


@dataclass(frozen=True, slots=True)
class _Shape:
    """The shape of an issuer's credentials.

    Attributes:
        hint: stands in each; it is looked for first, since most texts lack most hints.
        before: how many characters of one may stand before its hint; fewer than none where the
            hint stands before it.
        mark: stands in each, too, and is looked for once for all shapes that have it.
        pattern: of the whole; where one of its groups is found, that alone is hidden.
    """

    hint: str
    before: tuple[int, ...]
    mark: str
    pattern: str

    def hidden(self, text: str) -> str:
        """Replace what has this shape: it is tried only where its hint stands."""
        match = _compiled(self.pattern).match
        kept, done, at = [], 0, text.find(self.hint)
        while at >= 0:
            starts = (at - before for before in self.before)
            found = next(
                (one for start in starts if start >= done and (one := match(text, start))), None
            )
            if found:
                begin, end = found.span(found.lastindex or 0)
                kept += [text[done:begin], REDACTED]
                done = end
            at = text.find(self.hint, at + 1)
        return "".join([*kept, text[done:]]) if kept else text


def _by_mark() -> dict[str, list[_Shape]]:
    """Sort the shapes by a mark in them: most texts lack most marks."""
    sorted_: dict[str, list[_Shape]] = defaultdict(list)
    for rule in _RULES["shapes"]:
        hint = rule["hint"]
        mark = rule.get("mark") or next((mark for mark in "_-:./" if mark in hint), "")
        shape = _Shape(hint, tuple(rule.get("before", (0,))), mark, rule["pattern"])
        sorted_[mark].append(shape)
    return dict(sorted_)


_BY_MARK: Final = _by_mark()


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # Compiled when it is needed: most never are.
    return re.compile(pattern, re.DOTALL)


def _shapes_in(text: str) -> Iterator[_Shape]:
    for mark, shapes in _BY_MARK.items():
        if mark in text:
            for shape in shapes:
                if shape.hint in text:
                    yield shape


def _without_named(text: str) -> str:
    """Replace the values that stand in a text behind the name of a credential."""
    # The one capital whose small letter takes two places.
    lowered = text.replace("\u0130", "I").lower()
    # Nothing but a space follows only the names of options.
    after_hint = _AFTER_HINT if "--" in text else _AFTER_HINT_OF_NO_OPTION
    kept, at = [], 0
    for begin, end in _hints_in(lowered):
        if begin < at or (after := after_hint.match(text, end)) is None:
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
        return _span(_IN_URL.match(text, after.end())) if is_told else None
    if _is_one_of_text(text, begin, name):
        return None
    is_said = (after["flag"] or "").strip() != ""
    begins_line = after["record"] is None and "\n" in after[0]
    if begins_line and _ANOTHER_LINE.match(text, after.end()):
        return None
    return _bare_value(text, name, after.end(), is_certain=not is_said)


def _is_named_before(text: str, begin: int) -> bool:
    """Say whether what stands before a name tells that it is one: `name: `."""
    return _NAMED_BEFORE.search(text, max(begin - _MOST_BEFORE_HINT, 0), begin) is not None


def _value_of_element(text: str, begin: int, name: str, end: int) -> tuple[int, int] | None:
    """Return where the text of an element of XML is, `<password>...</password>`."""
    if text[begin - 1 : begin] != "<" or not is_credential_key(name):
        return None
    is_told = _is_strong(name) or _RANDOM.match(text, end)
    return _span(_IN_ELEMENT.match(text, end)) if is_told else None


def _is_one_of_text(text: str, begin: int, name: str) -> bool:
    """Say whether the word before it makes a name that of something else: `the first token`."""
    kind = _OF_WORDS.get(name.lower())
    before = _WORD_BEFORE.search(text, max(begin - 22, 0), begin) if kind else None
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
        if is_credential_key(value) or not _RANDOM.match(value):
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
        return _span(_COOKIES.match(text, begin))
    if tag := _TAG.match(text, begin):
        begin = tag.end()
    if block := _BLOCK.match(text, begin):
        is_told = _is_strong(name) or _RANDOM.match(text, block.start("value"))
        return block.span("value") if is_credential_key(name) and is_told else None
    if _EMPTY_BLOCK.match(text, begin):
        return None
    if scheme := _AFTER_SCHEME.match(text, begin):
        begin = scheme.end()
    if not is_credential_key(name) or _NO_VALUE.match(text, begin):
        return None
    is_certain = is_certain and (_is_strong(name) or name[:2].lower() == "x-")
    value = _BARE.match(text, begin) if is_certain or _RANDOM.match(text, begin) else None
    return (begin, begin + len(value[0].rstrip(_TRAILING))) if value else None


def _span(found: Match[str] | None) -> tuple[int, int] | None:
    return found.span() if found else None


def _end_of_quoted(text: str, start: int, quote: str) -> int:
    """Return where a quoted value ends: at its quote, or at one of the text around it."""
    mark, slashes = quote[-1], len(quote) - 1
    for closing in _closing(mark).finditer(text, start):
        # In JSON within JSON, quotes inside a value have more backslashes before them.
        if (len(closing[1]) <= slashes) if slashes else (len(closing[1]) % 2 == 0):
            return closing.end() - 1 - min(len(closing[1]), slashes)
    return len(text)


@cache
def _closing(mark: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\\)(\\*+)" + mark)
