"""Keeps telemetry's own troubles out of the application."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._diagnostics import Diagnostics


class _Diagnosed(Protocol):
    @property
    def diagnostics(self) -> Diagnostics: ...


_Callback = TypeVar("_Callback", bound="Callable[..., None]")


def guarded(callback: _Callback) -> _Callback:
    """Make a callback that reports what it raises, and raises nothing."""

    @wraps(callback)
    def call(self: _Diagnosed, *args: Any, **kwargs: Any) -> None:
        try:
            callback(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the application goes on
            self.diagnostics.report(f"{callback.__name__} failed", error)

    return cast("_Callback", call)
