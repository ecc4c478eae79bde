"""The names of pydantic's that it does not promise to keep, and what happens without them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from .names import Name, Use

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EXTRA: Final = Use(
    (Name("pydantic", "BaseModel.__pydantic_extra__"),),
    "values beyond a model's fields are read by `model_extra`",
    is_replaced=True,
)
TABLE: Final = (EXTRA,)

# From the class: an attribute of an object may be anything its author wrote.
_slot = vars(BaseModel).get("__pydantic_extra__", BaseModel.model_extra)

model_extra: Final[Callable[[BaseModel], Mapping[str, Any] | None]] = _slot.__get__
"""Returns the values of a model beyond its fields."""
