"""What llama.cpp cannot do is refused when the model is made, before anything is loaded."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from nodespan.model import BadRequestError, LlamaCppChatModel
from nodespan.model._llama_cpp.header import trained_context

if TYPE_CHECKING:
    from pathlib import Path

TEXT, ARRAY, UINT32, UINT64, FLOAT32 = 8, 9, 4, 10, 6


def text(content: str) -> bytes:
    """Return a text as GGUF has it."""
    return struct.pack("<Q", len(content.encode())) + content.encode()


def entry(name: str, kind: int, value: bytes) -> bytes:
    """Return an entry of a header."""
    return text(name) + struct.pack("<I", kind) + value


def words(*content: str) -> bytes:
    """Return a list of texts."""
    return struct.pack("<IQ", TEXT, len(content)) + b"".join(map(text, content))


def header(*entries: bytes, version: int = 3, count: int | None = None) -> bytes:
    """Return the header of a file."""
    number = len(entries) if count is None else count
    return struct.pack("<4sIQQ", b"GGUF", version, 0, number) + b"".join(entries)


BEFORE = (
    entry("general.architecture", TEXT, text("cat")),
    entry("general.tags", ARRAY, words("small", "grey")),
    entry("general.sizes", ARRAY, struct.pack("<IQ3f", FLOAT32, 3, 1, 2, 3)),
    entry("cat.rope.freq_base", FLOAT32, struct.pack("<f", 1e4)),
)
CONTEXT = entry("cat.context_length", UINT32, struct.pack("<I", 2_048))


@pytest.fixture
def made_for_2048(tmp_path: Path) -> Path:
    """A file whose header says that its model was made for 2,048 tokens."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "cat.gguf"
    path.write_bytes(header(*BEFORE, CONTEXT))
    return path


@pytest.mark.parametrize("kind", [UINT32, UINT64])
def test_a_header_says_what_its_model_was_made_for(tmp_path: Path, kind: int) -> None:
    """Whatever stands before it, and in either width."""
    path = tmp_path / "cat.gguf"
    number = struct.pack("<I" if kind == UINT32 else "<Q", 8_192)
    path.write_bytes(header(*BEFORE, entry("cat.context_length", kind, number)))
    assert trained_context(path) == 8_192


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        header(*BEFORE),
        header(*BEFORE, CONTEXT, version=1),
        header(*BEFORE, CONTEXT)[:-2],
        header(entry("a", 77, b""), CONTEXT),
        header(entry("a", ARRAY, struct.pack("<IQ", 77, 1)), CONTEXT),
        header(entry("a", ARRAY, struct.pack("<IQ", TEXT, 1 << 60)), CONTEXT),
        header(entry("a", ARRAY, struct.pack("<IQ", UINT64, 1 << 60)), CONTEXT),
        header(struct.pack("<Q", 1 << 60), CONTEXT),
        header(count=1 << 60),
        header(text("\u00e4").replace(b"\xa4", b"\xff") + b"\0" * 5, CONTEXT),
    ],
    ids=range(12),
)
def test_a_header_that_says_nothing_of_it(tmp_path: Path, content: bytes) -> None:
    """Of what is broken llama.cpp says what is wrong, and nothing is refused."""
    path = tmp_path / "cat.gguf"
    path.write_bytes(content)
    assert trained_context(path) is None


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe has no end, and a file that is missing no header."""
    os.mkfifo(tmp_path / "pipe")
    assert trained_context(tmp_path / "pipe") is None
    assert trained_context(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_ctx": 2_049, "n_parallel": 1}, "n_ctx is 2,049, and the model in .* 2,048 tokens"),
        ({"n_ctx": 2_000_000_000}, "n_ctx is 2,000,000,000, .* use up to that"),
        ({"n_ctx": 2**31}, "less than or equal to 2147483647"),
        ({"n_parallel": 257}, "less than or equal to 256"),
        ({"n_threads": 513}, "less than or equal to 512"),
        ({"max_tokens": 2**31}, "less than or equal to 2147483647"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(
    made_for_2048: Path, settings: dict[str, Any], said: str
) -> None:
    """It would be tried for minutes, set memory aside in vain, or end the process."""
    with pytest.raises(ValidationError, match=said):
        LlamaCppChatModel(model_path=made_for_2048, **settings)
    model = LlamaCppChatModel(model_path=made_for_2048)
    with pytest.raises(BadRequestError, match=said):
        model.invoke("Hello", **settings)


def test_all_contexts_together_are_what_can_be_counted(tmp_path: Path) -> None:
    """Where a header says nothing, what cannot be counted is refused all the same."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "cat.gguf"
    path.write_bytes(header(*BEFORE))
    with pytest.raises(ValidationError, match=r"come to 4,000,000,000 tokens, .* up to 2,147,483"):
        LlamaCppChatModel(model_path=path, n_ctx=2_000_000_000)


def test_who_says_nothing_gets_what_there_is(tmp_path: Path) -> None:
    """The default may be more than a small model was made for; llama.cpp has it hold less."""
    pytest.importorskip("xllamacpp")
    path = tmp_path / "cat.gguf"
    small = entry("cat.context_length", UINT32, struct.pack("<I", 512))
    path.write_bytes(header(*BEFORE, small))
    assert LlamaCppChatModel(model_path=path).n_ctx == 4_096
