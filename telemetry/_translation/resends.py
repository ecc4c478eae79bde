"""How often the requests of a model's call were sent again, and why, as span attributes (pure).

Source: `http.request.resend_count`,
https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._semconv import names as semconv
from .._values.attributes import attribute_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .._values.attributes import Attributes

# Where `nodespan.model` tells it: in an answer's metadata, and as an attribute of its errors.
RETRIES_KEY: Final = "retries"
_MAX_REASONS: Final = 16
_MAX_CHARACTERS: Final = 64


def resend_attributes(source: Mapping[str, object]) -> Attributes:
    """Return how often requests were sent again, and why; nothing where none was.

    Args:
        source: the metadata of an answer, or what an exception has as attributes.
    """
    given = source.get(RETRIES_KEY)
    if not isinstance(given, list | tuple) or not given:
        return {}
    if not all(isinstance(reason, str) for reason in given):
        return {}
    reasons = tuple(attribute_text(reason[:_MAX_CHARACTERS]) for reason in given[:_MAX_REASONS])
    return {semconv.HTTP_RESEND_COUNT: len(given), semconv.HTTP_RESEND_REASONS: reasons}


def resends_before(error: BaseException) -> Attributes:
    """Return the same of a call that an exception has ended."""
    return resend_attributes(getattr(error, "__dict__", None) or {})
