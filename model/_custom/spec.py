"""What the author of a model class wrote, looked at once a class."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from .._errors import UnsupportedError
from .credentials import is_credential_key
from .parameters import aliases_of, check_names, declared_fields
from .secrets import secret_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_TOOL_ARGUMENTS = frozenset({"tools", "tool_choice", "response_format"})


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the author of a model class wrote.

    Args:
        sync: Whether there is a `respond`.
        is_async: Whether there is an `arespond`.
        parameters: The names of the declared fields.
        excluded: The names of those fields that are declared, but excluded from what is told,
            and that hold no secret.
        secrets: Those among all fields that hold a secret.
        arguments: The keyword arguments that the generator takes.
        takes_any_argument: Whether it takes any others as well.
        aliases: The other names that fields can be given by, and the fields' own.
    """

    sync: bool
    is_async: bool
    parameters: frozenset[str]
    excluded: frozenset[str]
    secrets: frozenset[str]
    arguments: frozenset[str]
    takes_any_argument: bool
    aliases: Mapping[str, str]

    @property
    def is_complete(self) -> bool:
        """Whether there is a generator at all."""
        return self.sync or self.is_async

    @property
    def takes_tools(self) -> bool:
        """Whether the model can call tools, by itself or held to a schema."""
        return self.takes("tools") or self.takes("response_format")

    def is_key(self, name: str) -> bool:
        """Whether a field or an argument holds a secret by its type or by its name."""
        return name in self.secrets or is_credential_key(name)

    def given(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call without secrets that are None: the model's own hold."""
        return {
            name: value
            for name, value in arguments.items()
            if value is not None or self.aliases.get(name, name) not in self.secrets
        }

    def takes(self, argument: str) -> bool:
        """Whether the generator takes this keyword argument."""
        return self.takes_any_argument or argument in self.arguments

    def sort_out(self, model: str, given: dict[str, Any]) -> dict[str, Any]:
        """Keep the arguments that the generator takes.

        Raises:
            UnsupportedError: If it is given tools, or a format, that it knows nothing of.
            BadRequestError: If it is given a name that nobody knows.
        """
        if self.takes_any_argument:
            return given
        taken = self.arguments
        if "response_format" in taken:
            taken |= _TOOL_ARGUMENTS
        refused = sorted(_TOOL_ARGUMENTS.intersection(given).difference(taken))
        if refused:
            raise UnsupportedError(f"{model} does not take {', '.join(refused)}")
        check_names(model, given, self.parameters | taken)
        return {name: value for name, value in given.items() if name in taken}


_specs: WeakKeyDictionary[type, ModelSpec] = WeakKeyDictionary()


def spec_of(model_class: type) -> ModelSpec:
    """Look at what the author of a model class wrote.

    Raises:
        TypeError: If its `respond` is async.
    """
    known = _specs.get(model_class)
    if known is None:
        known = _specs[model_class] = _look_at(model_class)
    return known


def _look_at(model_class: Any) -> ModelSpec:
    respond, arespond = model_class.respond, model_class.arespond
    if inspect.isasyncgenfunction(respond) or inspect.iscoroutinefunction(respond):
        raise TypeError(f"{model_class.__name__}.respond is async; name it arespond")
    is_async = _is_written(model_class, "arespond")
    fields, secrets = declared_fields(model_class), secret_fields(model_class)
    excluded = {name for name, info in fields.items() if info.exclude}
    arguments, takes_any = _keyword_arguments(arespond if is_async else respond)
    return ModelSpec(
        sync=_is_written(model_class, "respond"),
        is_async=is_async,
        parameters=frozenset(fields) - excluded,
        excluded=frozenset(excluded) - secrets,
        secrets=secrets,
        arguments=arguments,
        takes_any_argument=takes_any,
        aliases=aliases_of(model_class),
    )


def _is_written(model_class: type, method: str) -> bool:
    """Whether somebody overrode the method of `CustomChatModel`, the last to have it."""
    return sum(method in vars(parent) for parent in model_class.__mro__) > 1


def _keyword_arguments(function: Callable[..., Any]) -> tuple[frozenset[str], bool]:
    """Find the keyword arguments that a generator takes after self and messages."""
    parameters = list(inspect.signature(function).parameters.values())[2:]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    names = (p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
    return frozenset(names), takes_any
