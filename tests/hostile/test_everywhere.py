"""A secret that a person planted anywhere is in no signal, no print, no pickle and no key."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from nodespan.model import AuthenticationError, CustomChatModel
from nodespan.telemetry import configure_logging
from nodespan.telemetry.testing import capture_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

S = "planted7x9planted"


class Careless(CustomChatModel):
    """Has secrets in plain fields, and words of a tokenizer that sound like some."""

    key: str = ""
    my_key: str = ""
    private_key: str = ""
    note: str = ""
    pairs: Any = None
    eos_token: str = "</s>"  # noqa: S105 - of a tokenizer
    pad_token: str = "[P]"  # noqa: S105 - as above
    tokenizer: str = "bpe"
    keyboard: str = "qwerty"

    def respond(self, messages: list[Any]) -> Iterator[str]:  # type: ignore[override]  # no more
        """Answer."""
        yield f"{len(messages)}"


def careless() -> Careless:
    """Make a model with a secret in each place."""
    pairs = [("Authorization", S), {"name": "X-Api-Key", "value": S}]
    return Careless(
        key=S,
        my_key=S,
        private_key=S,
        note=f"password: {S}",
        pairs=pairs,
        stop=[f"token = {S}", f"postgres://u:a#{S}@h"],
    )


def test_in_nothing_that_tells_of_a_model() -> None:
    """What sounds like a secret and is none is told, pickled and in cache keys as it is."""
    model = careless()
    pickled = pickle.dumps(model)
    told = [
        repr(model),
        repr(pickled),
        str(model._identifying_params),
        str(model._get_invocation_params(stop=model.stop)),
        model._get_llm_string(stop=model.stop),
    ]
    assert not [text for text in told if "planted" in text]
    assert {"eos_token", "pad_token", "tokenizer", "keyboard"} <= model._identifying_params.keys()
    assert "eos_token" in model._get_llm_string()
    loaded = pickle.loads(pickle.dumps(Careless(eos_token="<e>")))  # noqa: S106, S301 - ours
    assert loaded.eos_token == "<e>"  # noqa: S105 - of a tokenizer
    with pytest.raises(AuthenticationError, match="my_key, note, pairs, private_key, stop again"):
        pickle.loads(pickled).invoke("Hi")  # noqa: S301 - ours


def test_in_no_span() -> None:
    """Neither of its fields, nor of the call's metadata, tags and name."""
    config: Any = {
        "metadata": {"h": [("Authorization", S)], "p": {"key": "DB_PASSWORD", "value": S}},
        "tags": [f"password={S}"],
        "run_name": f"token={S}",
    }
    with capture_spans(metadata_keys=["h", "p"]) as captured:
        careless().invoke("Hi", {**config, "callbacks": [captured.handler]})
    (span,) = captured.spans
    assert "planted" not in str((span.name, dict(span.attributes), span.events))


@pytest.mark.usefixtures("logging_put_back")
@pytest.mark.parametrize("format_", ["console", "json"])
def test_in_no_log_line(format_: Any) -> None:
    """Neither in its event nor in its fields."""
    stream = io.StringIO()
    configure_logging(format=format_, stream=stream)
    pair = ("Authorization", S)
    record = {"name": "Authorization", "value": S}
    structlog.get_logger().info(f"Cookie: a={S}", pair=pair, record=record, my_key=S, n=1)
    assert "Cookie" in stream.getvalue()
    assert "planted" not in stream.getvalue()
