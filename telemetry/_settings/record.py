"""The one record of what people can set, of which everything that takes settings is made (pure).

A new setting is one field of `Settings`: with what it is for, its default and its check. The
handler, `instrument`, `TelemetryConfig`, `capture_spans` and README's table have it from there.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, Self, TypeVar

from .._content.capture import CAPTURE_VARIABLE, DEFAULT_MAX_CHARACTERS, CaptureContent
from .._errors import ConfigurationError
from .checks import capable_of, few_names, positive, redaction, seconds, switch
from .prices import PriceTable
from .texts import function_named, names_listed, switch_named

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from .._content.door import Redact
    from .prices import Prices

DEFAULT_MAX_OPEN_RUNS: Final = 10_000
DEFAULT_STALL_THRESHOLD: Final = 2.0
DEFAULT_FIRST_CHUNK_THRESHOLD: Final = 30.0

_T = TypeVar("_T")
_ABOUT: Final = "nodespan.setting"


class Check(Protocol):
    """Returns a value as it is to be used, or raises a `ConfigurationError` that has its name."""

    def __call__(self, name: str, value: Any, /) -> Any: ...


class Variable(NamedTuple):
    """An environment variable that says what a setting is where no argument does.

    Attributes:
        name: of the variable; an empty one says nothing.
        otherwise: what the setting is where neither says anything.
        parse: makes of the variable's text what an argument would be; a `ValueError` of it, and
            what the setting's check refuses, is reported with the variable's name.
        is_place: whether the text says where the value is: then it is told beside the value.
    """

    name: str
    otherwise: Any = None
    parse: Callable[[str], Any] = str
    is_place: bool = False

    def read(self, environ: Mapping[str, str], check: Check) -> Any:
        """Return what the variable says, checked.

        Raises:
            ConfigurationError: it cannot be what the setting must be.
        """
        text = environ.get(self.name, "").strip()
        if not text:
            return self.otherwise
        try:
            return check("that" if self.is_place else self.name, self._parsed(text))
        except ConfigurationError as error:
            if self.name in str(error):
                raise
            raise ConfigurationError(f"{self.name} is {text!r}: {error}") from error

    def _parsed(self, text: str) -> Any:
        try:
            return self.parse(text)
        except ConfigurationError:
            raise
        except ValueError:
            return text


class Setting(NamedTuple):
    """What there is to know of a setting beside its name, its type and its default.

    Attributes:
        text: what it is for, as it stands in docstrings and in README.
        check: what a value must be.
        variable: says it where no argument does.
        unset: what holds where nobody says anything, where its default does not tell.
    """

    text: str
    check: Check
    variable: Variable | None = None
    unset: str = ""

    def value(self, name: str, given: Any, environ: Mapping[str, str]) -> Any:
        """Return the value of an argument, or without one the variable's, checked."""
        if given is None and self.variable is not None:
            return self.variable.read(environ, self.check)
        return self.check(name, given)


def setting(  # noqa: PLR0913 - what there is to know of it
    default: _T,
    text: str,
    check: Check,
    *,
    variable: Variable | None = None,
    unset: str = "",
    is_secret: bool = False,
) -> _T:
    """Return the field of a setting, which type checkers take for its default.

    Args:
        default: what it is where nobody says anything; None where a variable may say it.
        text: what it is for.
        check: what a value must be.
        variable: says it where no argument does.
        unset: what holds where nobody says anything, where the default does not tell.
        is_secret: whether `repr` leaves it out.
    """
    if variable is not None and default is not None:
        raise TypeError(f"{variable.name} would never be read: the default is {default!r}")
    about = {_ABOUT: Setting(text, check, variable, unset)}
    made: _T = field(default=default, metadata=about, repr=not is_secret)
    return made


def settings_of(record: type[Record]) -> dict[str, Setting]:
    """Return what there is to know of each setting of a record, by its name."""
    return {each.name: each.metadata[_ABOUT] for each in fields(record)}


class Record:
    """A record of settings, whatever they are: those of its dataclasses."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def checked(self, environ: Mapping[str, str]) -> Self:
        """Return the settings as they are to be used, with what the variables say filled in.

        Raises:
            ConfigurationError: a value cannot work.
        """
        known = settings_of(type(self)).items()
        return replace(
            self,
            **{name: each.value(name, getattr(self, name), environ) for name, each in known},
        )


# What is kept, compared and shown is of the classes below: here that would be made for nobody.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings(Record):
    """What can be set wherever runs are traced."""

    capture_content: CaptureContent | str | None = setting(
        None,
        "where content may go: one of `NO_CONTENT`, `SPAN_ONLY`, `EVENT_ONLY`, `SPAN_AND_EVENT`",
        CaptureContent.named,
        variable=Variable(CAPTURE_VARIABLE, otherwise=CaptureContent.NO_CONTENT),
    )
    redact: Redact | None = setting(
        None,
        "called with an attribute's name and its content as plain data (what JSON has); what it "
        "returns is recorded instead, and nothing where it returns `None` or raises. The variable "
        "names a function as `MODULE:NAME`",
        redaction,
        variable=Variable("NODESPAN_REDACT", parse=function_named, is_place=True),
    )
    max_content_characters: int | None = setting(
        None,
        "how long one attribute may be; its JSON stays valid, and what is left out is counted",
        positive,
        variable=Variable("NODESPAN_MAX_CONTENT_CHARACTERS", DEFAULT_MAX_CHARACTERS, int),
    )
    metadata_keys: Collection[str] | None = setting(
        None,
        "which of a call's metadata its spans carry, as `langchain.metadata.<key>`; what looks "
        "like a credential is never carried. The variable lists them with commas",
        few_names,
        variable=Variable("NODESPAN_METADATA_KEYS", (), names_listed),
    )
    max_open_runs: int | None = setting(
        None,
        "how many runs may be open; beyond it the oldest are ended as abandoned. Handlers of one "
        "tracer provider share their open runs, and the first one's limit",
        positive,
        variable=Variable("NODESPAN_MAX_OPEN_RUNS", DEFAULT_MAX_OPEN_RUNS, int),
    )
    stall_threshold: float | None = setting(
        None,
        "how long a chunk may be waited for, in seconds, before it counts as stalled; 2 by default",
        seconds,
        variable=Variable("NODESPAN_STALL_THRESHOLD", parse=float),
        unset=str(DEFAULT_STALL_THRESHOLD),
    )
    first_chunk_threshold: float | None = setting(
        None,
        "the same for the first chunk, and for an answer that comes whole; by default the "
        "`stall_threshold` that was set, or else 30",
        seconds,
        variable=Variable("NODESPAN_FIRST_CHUNK_THRESHOLD", parse=float),
        unset=f"{DEFAULT_FIRST_CHUNK_THRESHOLD}, or the stall_threshold that was set",
    )
    prices: Prices | None = setting(
        None,
        "what a million tokens of each model cost: a mapping of model names such as "
        '`{"a-model": {"input": 2.5, "output": 10, "cached": 1.25}}`, or the path of a TOML file '
        "of the same. A model may have a `currency` of its own, and so may the table; else it is "
        "USD. Without `cached` and `cache_write` those tokens cost as input, and without "
        "`cache_write_1h` what stays in a cache for an hour costs as what does not",
        PriceTable.checked,
        variable=Variable("NODESPAN_PRICES"),
    )
    log_events: bool | None = setting(
        None,
        "whether a log record is emitted when a model starts, once a second while it streams, "
        "and when it ends, so that it can be followed while it goes on",
        switch,
        variable=Variable("NODESPAN_LOG_EVENTS", otherwise=False, parse=switch_named),
    )
    user_ids: bool | None = setting(
        None,
        "whether spans carry `session.id` and `user.id`, from `thread_id`, `conversation_id`, "
        "`session_id` and `user_id` of a call's metadata",
        switch,
        variable=Variable("NODESPAN_USER_IDS", otherwise=True, parse=switch_named),
    )
    tags: bool | None = setting(
        None,
        "whether spans carry the tags of runs, as `langchain.tags`; off, since people write in "
        "them what they like, and what their users have written",
        switch,
        variable=Variable("NODESPAN_TAGS", otherwise=False, parse=switch_named),
    )
    all_runnables: bool | None = setting(
        None,
        "whether every runnable has a span, such as the steps of a chain and what LangGraph runs "
        "beside a node's own work; else only a root has one",
        switch,
        variable=Variable("NODESPAN_ALL_RUNNABLES", otherwise=False, parse=switch_named),
    )

    @property
    def seconds_to_first_chunk(self) -> float:
        """How long a first chunk, or a whole answer, may be waited for."""
        return self.first_chunk_threshold or self.stall_threshold or DEFAULT_FIRST_CHUNK_THRESHOLD

    @property
    def seconds_to_next_chunk(self) -> float:
        """How long any other chunk may be waited for."""
        return self.stall_threshold or DEFAULT_STALL_THRESHOLD


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class CaptureSettings(Settings):
    """What can be set where spans are kept in memory: all but their provider."""

    meter_provider: MeterProvider | None = setting(
        None,
        "takes the metrics; by default the global one, once one is set",
        partial(capable_of, method="get_meter", what="a MeterProvider"),
    )
    logger_provider: LoggerProvider | None = setting(
        None,
        "takes the log records that are asked for; by default the global one, once one is set",
        partial(capable_of, method="get_logger", what="a LoggerProvider"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSettings(CaptureSettings):
    """What can be set of a handler."""

    tracer_provider: TracerProvider | None = setting(
        None,
        "makes the spans; by default the global one",
        partial(capable_of, method="get_tracer", what="a TracerProvider"),
    )

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> Self:
        """Return the settings of a handler with these providers."""
        shared = {each.name: getattr(settings, each.name) for each in fields(Settings)}
        return cls(
            tracer_provider=tracer_provider,
            meter_provider=meter_provider,
            logger_provider=logger_provider,
            **shared,
        )
