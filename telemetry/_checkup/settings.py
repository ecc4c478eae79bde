"""Which settings are in force, and who says so: an argument, a variable, or the default (pure)."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from .._errors import ConfigurationError
from .._settings.config import TelemetryConfig, sends_otlp
from .._settings.journal import journal_path
from .._settings.record import settings_of
from .._settings.slips import slip
from .._settings.variables import (
    READ_BY_SDK,
    Signal,
    check_variables,
    exporter_names,
    is_disabled,
)
from .._values.credential_shapes import REDACTED
from .._values.credentials import is_credential_key, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .._settings.record import Setting

ARGUMENT: Final = "argument"
DEFAULT: Final = "default"

_PREFIXES: Final = ("OTEL_", "NODESPAN_")
_MOST_CHARACTERS: Final = 200
_LISTS: Final = ("HEADERS", "RESOURCE_ATTRIBUTES")


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting as it holds here; nothing secret is in it.

    Attributes:
        name: of the setting of `TelemetryConfig`, or of a variable that is none of these.
        value: as people read it, the default's where nobody says anything; an empty text where
            there is none then.
        source: `argument`, `default`, or the name of the variable that says it.
        trouble: why it cannot work; None where it can.
    """

    name: str
    value: str
    source: str
    trouble: str | None = None


def settings_in_force(
    config: TelemetryConfig | None = None, environ: Mapping[str, str] | None = None
) -> tuple[SettingInForce, ...]:
    """Return each setting of telemetry as it is in force in this process.

    Those of `TelemetryConfig` come first, then the other `OTEL_*` and `NODESPAN_*` variables that
    are set. Nothing is raised for a value that cannot work: it says so itself.

    Args:
        config: what a program gives `configure`.
        environ: the variables; by default this process's.
    """
    config = config if config is not None else TelemetryConfig()
    environ = environ if environ is not None else os.environ
    known = settings_of(TelemetryConfig).items()
    found = [_setting(name, about, config, environ) for name, about in known]
    named = {each.source for each in found}
    found += [each for each in _other_variables(environ) if each.name not in named]
    return tuple(_with_trouble(found, environ))


def shown_url(url: str) -> str:
    """Return a URL without what may be a secret: user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return REDACTED
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _setting(
    name: str, about: Setting, config: TelemetryConfig, environ: Mapping[str, str]
) -> SettingInForce:
    given = getattr(config, name)
    default = next(field.default for field in fields(config) if field.name == name)
    variable = _variable(name, about, environ)
    is_given = given is not None and given != default
    source = ARGUMENT if is_given else variable or DEFAULT
    try:
        value = about.value(name, given, environ)
        if name == "journal":
            return SettingInForce(name, _journal(config, value, environ), source)
    except ConfigurationError as error:
        shown = _text(name, given) if is_given else _variable_text(source, environ.get(source, ""))
        return SettingInForce(name, shown, source, without_credentials(str(error)))
    if not is_given and variable is not None and (about.variable is None or value is None):
        return SettingInForce(name, _variable_text(variable, environ[variable]), source)
    shown = _text(name, value) if is_given or variable is not None or about.variable else ""
    return SettingInForce(name, shown or about.unset, source)


def _variable(name: str, about: Setting, environ: Mapping[str, str]) -> str | None:
    own = (about.variable.name,) if about.variable is not None else ()
    names = (*own, *READ_BY_SDK.get(name, ()))
    return next((each for each in names if environ.get(each, "").strip()), None)


def _journal(config: TelemetryConfig, value: Any, environ: Mapping[str, str]) -> str:
    sends = sends_otlp(Signal.TRACES, config, environ)
    by_default = not sends and "none" not in exporter_names(Signal.TRACES, environ)
    path = None if is_disabled(environ) else journal_path(value, by_default=by_default)
    return str(path) if path is not None else "off"


def _text(name: str, value: Any) -> str:
    """Return a value for people, without its secrets."""
    if value is None:
        return ""
    if name == "headers":
        return ", ".join(f"{key}={REDACTED}" for key in value)
    if name == "endpoint":
        return shown_url(str(value))
    if isinstance(value, str | int | float | os.PathLike):
        return _cut(without_credentials(str(value)))
    if isinstance(value, list | tuple | set | frozenset):
        return _cut(without_credentials(", ".join(sorted(map(str, value)))))
    # A function's or an object's own text may hold anything.
    return getattr(value, "__name__", None) or type(value).__name__


def _other_variables(environ: Mapping[str, str]) -> Iterator[SettingInForce]:
    for name, value in sorted(environ.items()):
        trouble = slip(name) if value.strip() else None
        if value.strip() and (name.startswith(_PREFIXES) or trouble is not None):
            yield SettingInForce(name, _variable_text(name, value), name, trouble)


def _variable_text(name: str, value: str) -> str:
    if name.endswith(_LISTS):
        return ", ".join(_entry(each, hides=name.endswith("HEADERS")) for each in value.split(","))
    if is_credential_key(name) or name.endswith(("CLIENT_KEY", "PASSWORD")):
        return REDACTED
    if name.endswith("ENDPOINT"):
        return shown_url(value)
    return _cut(without_credentials(value))


def _entry(text: str, *, hides: bool) -> str:
    name, equals, value = text.strip().partition("=")
    if not equals:
        # Whatever it is, it is not where a name would be.
        return REDACTED
    hidden = hides or is_credential_key(name)
    return f"{name}={REDACTED if hidden else _cut(without_credentials(value))}"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _with_trouble(
    found: list[SettingInForce], environ: Mapping[str, str]
) -> Iterator[SettingInForce]:
    """Give the settings, with what is wrong with a standard variable at its own."""
    trouble: str | None = None
    try:
        check_variables(environ)
    except ConfigurationError as error:
        trouble = str(error)
    for each in found:
        is_meant = trouble is not None and trouble.split()[0] == each.source
        if is_meant and each.trouble is None:
            yield SettingInForce(each.name, each.value, each.source, trouble)
            trouble = None
        else:
            yield each
    if trouble is not None:
        name = trouble.split()[0]
        value = _variable_text(name, environ.get(name, ""))
        yield SettingInForce(name, value, name, trouble)
