"""What belongs to a provider: shared by all who use it, and gone when it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from ._process import Locked, process_wide

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator

_T = TypeVar("_T")

_WAS_SHUT_DOWN: Final = "was shut down"


class _Providers(Locked):
    """What there is of each provider, by its kind."""

    def __init__(self) -> None:
        super().__init__()
        self._known: WeakKeyDictionary[object, dict[Hashable, object]] = WeakKeyDictionary()

    def one(self, provider: object, key: Hashable, make: Callable[[], object]) -> object:
        """Return what a provider has under a key, made for the first who asks."""
        with self._lock:
            try:
                of_provider = self._known.setdefault(provider, {})
            except TypeError:  # it has no hash, or no weak references: nobody can share
                return make()
            if key not in of_provider:
                of_provider[key] = make()
            return of_provider[key]

    def get(self, provider: object, key: Hashable) -> object:
        """Return what a provider has under a key, or None."""
        # Without the lock: runs ask.
        try:
            return self._known.get(provider, {}).get(key)
        except TypeError:  # as above
            return None

    def every(self, key: Hashable) -> Iterator[object]:
        """Return what living providers have under a key."""
        living = (reference() for reference in self._known.keyrefs())
        found = (self.get(provider, key) for provider in living if provider is not None)
        return (each for each in found if each is not None)


_providers: Final = process_wide(_Providers)


def one_of(
    provider: object, kind: type[_T], make: Callable[[], _T], *, variant: Hashable = None
) -> _T:
    """Return what a provider has of a *kind*; it is made when first asked for.

    Args:
        provider: of tracers, meters or loggers.
        kind: of what is shared.
        make: makes it; what it returns must not hold the provider.
        variant: tells several of one kind apart.
    """
    return cast("_T", _providers.one(provider, (kind, variant), make))


def known_of(provider: object, kind: type[_T]) -> _T | None:
    """Return what a provider has of a *kind*; None where it has none."""
    return cast("_T | None", _providers.get(provider, (kind, None)))


def every(kind: type[_T]) -> Iterator[_T]:
    """Return what the living providers have of a *kind*."""
    return cast("Iterator[_T]", _providers.every((kind, None)))


def note_shutdown(providers: Iterable[object]) -> None:
    """Take note that providers were shut down."""
    for provider in providers:
        _providers.one(provider, _WAS_SHUT_DOWN, lambda: True)


def was_shut_down(provider: object) -> bool:
    """Say whether a provider is one that nodespan has shut down."""
    return _providers.get(provider, _WAS_SHUT_DOWN) is not None


def is_stand_in(maker: object) -> bool:
    """Say whether a provider or a meter is one of the API's own, which measure nothing."""
    # Each release of the API has them in another of its modules.
    return f"{type(maker).__module__}.".startswith("opentelemetry.metrics.")
