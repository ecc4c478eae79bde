"""What model calls cost, by a table of prices."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from .._errors import ConfigurationError
from .._semconv import names as semconv

if TYPE_CHECKING:
    from .._semconv.names import Edition
    from .._values.attributes import Attributes, AttributeValue

Prices: TypeAlias = "Mapping[str, Any] | str | PathLike[str] | PriceTable"

_TOKENS: Final = 1_000_000
_DEFAULT_CURRENCY: Final = "USD"
_CURRENCY: Final = "currency"
_PRICES: Final = ("input", "output", "cached", "cache_write", "cache_write_1h")
_KEYS: Final = (*_PRICES, _CURRENCY)
_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80
_EXAMPLE: Final = '{"input": 2.5, "output": 10, "cached": 1.25}'


class Price(NamedTuple):
    """What a million tokens of a model cost.

    Attributes:
        currency: that the prices are in.
        input: of input tokens.
        output: of output tokens, those of reasoning among them.
        cached: of input tokens that the provider reads from its cache.
        cache_write: of input tokens that the provider writes to its cache.
        cache_write_1h: of those of them that stay there for an hour.
    """

    currency: str
    input: float
    output: float
    cached: float
    cache_write: float
    cache_write_1h: float

    def cost(self, tokens: Usage) -> float:
        """Return what *tokens* cost."""
        return (
            tokens.uncached * self.input
            + tokens.cached * self.cached
            + (tokens.cache_write - tokens.cache_write_1h) * self.cache_write
            + tokens.cache_write_1h * self.cache_write_1h
            + tokens.output * self.output
        ) / _TOKENS


class Usage(NamedTuple):
    """Tokens of one call, each counted once.

    Attributes:
        uncached: input tokens that no cache had a part in.
        cached: input tokens that were read from the provider's cache.
        cache_write: input tokens that were written to it.
        cache_write_1h: how many of these stay for an hour.
        output: output tokens.
    """

    uncached: int
    cached: int
    cache_write: int
    cache_write_1h: int
    output: int

    @classmethod
    def of_result(cls, result: Mapping[str, AttributeValue], edition: Edition) -> Usage | None:
        """Return the usage that a result reports in its span attributes; None without any."""
        names = (semconv.USAGE_INPUT_TOKENS, semconv.USAGE_OUTPUT_TOKENS)
        if not any(name in result for name in names):
            return None
        given, output = (_count(result, name) for name in names)
        # What the conventions call input includes what went through a cache.
        cached = min(_count(result, semconv.USAGE_CACHE_READ), given)
        written = min(_count(result, edition.usage_cache_write), given - cached)
        long_lived = min(_count(result, semconv.USAGE_CACHE_WRITE_1H), written)
        return cls(given - cached - written, cached, written, long_lived, output)


class PriceTable:
    """Prices by the names of models; a model that is not in it has none.

    Args:
        prices: by the model's name as it is asked for, or as it is named by its answers.
    """

    def __init__(self, prices: Mapping[str, Price]) -> None:
        self._prices = dict(prices)

    def __bool__(self) -> bool:
        return bool(self._prices)

    @classmethod
    def checked(cls, _name: str, source: Prices | None) -> PriceTable:
        """Return the table of a setting: an error in it names its own place."""
        return cls.of(source)

    @classmethod
    def of(cls, source: Prices | None) -> PriceTable:
        """Return the table in a mapping or in a TOML file, or a table; an empty one of None.

        Raises:
            ConfigurationError: the file cannot be read, or a price cannot be one.
        """
        if source is None:
            return cls({})
        if isinstance(source, PriceTable):
            return source
        place, entries = _entries(source)
        currency = _checked_currency(place, entries.get(_CURRENCY, _DEFAULT_CURRENCY))
        models = {name: entry for name, entry in entries.items() if name != _CURRENCY}
        return cls({name: _price(place, name, models[name], currency) for name in models})

    def attributes(
        self, result: Mapping[str, AttributeValue], model: str, edition: Edition
    ) -> Attributes:
        """Return the cost of a call, as span attributes; none where it is not known.

        Args:
            result: what the call's result says, as span attributes.
            model: that was asked for.
            edition: of the conventions.
        """
        price = self._prices.get(str(result.get(semconv.RESPONSE_MODEL))) or self._prices.get(model)
        usage = Usage.of_result(result, edition)
        if price is None or usage is None:
            return {}
        return {semconv.COST: price.cost(usage), semconv.CURRENCY: price.currency}


def _count(result: Mapping[str, AttributeValue], name: str) -> int:
    count = result.get(name, 0)
    return count if isinstance(count, int) and count > 0 else 0


def _entries(source: Mapping[str, Any] | str | PathLike[str]) -> tuple[str, Mapping[str, Any]]:
    """Return what to call a source in messages, and what is in it."""
    if isinstance(source, Mapping):
        return "prices", source
    if not isinstance(source, str | PathLike):
        raise ConfigurationError(
            f"prices is {_short(source)}; give a mapping of model names, or the path of a TOML file"
        )
    from .price_file import prices_in  # noqa: PLC0415 - few programs read a file of prices

    return f"{source}", prices_in(source)


def _short(value: object) -> str:
    """Show a value in a message, however long or deep it is."""
    try:
        return _SHORT.repr(value)
    except Exception:  # noqa: BLE001 - such as an integer of thousands of digits
        return f"an object of type {type(value).__name__}"


def _price(place: str, model: str, entry: Any, currency: str) -> Price:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(
            f"{place}: model {_short(model)} is {_short(entry)}; use {_EXAMPLE}, per million tokens"
        )
    unknown = [key for key in entry if key not in _KEYS]
    if unknown:
        raise ConfigurationError(
            f"{place}: model {_short(model)} has {_short(unknown[0])}; use {', '.join(_KEYS)}, "
            "and in TOML put a name with dots in quotes"
        )
    given = {key: _amount(place, model, key, entry[key]) for key in _PRICES if key in entry}
    for key in ("input", "output"):
        if key not in given:
            raise ConfigurationError(
                f"{place}: model {_short(model)} has no {key!r}, the price of a million "
                f"{key} tokens"
            )
    written = given.get("cache_write", given["input"])
    return Price(
        currency=_checked_currency(
            f"{place}: model {_short(model)}", entry.get(_CURRENCY, currency)
        ),
        input=given["input"],
        output=given["output"],
        cached=given.get("cached", given["input"]),
        cache_write=written,
        cache_write_1h=given.get("cache_write_1h", written),
    )


def _amount(place: str, model: str, key: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= sys.float_info.max:
        raise ConfigurationError(
            f"{place}: {key!r} of model {_short(model)} is {_short(value)}; "
            "use a number from 0 up, for a million tokens"
        )
    return float(value)


def _checked_currency(place: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f'{place}: currency is {_short(value)}; use a name such as "USD"')
    return value
