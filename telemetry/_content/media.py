"""Images, sounds, films and files in content: measured, not copied (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Where a block keeps what it carries, when not in itself.
_ENVELOPES: Final = (
    *("source", "image_url", "input_audio", "file", "audio", "video_url", "image", "video"),
    *("document", "inline_data", "inlineData", "file_data", "fileData", "s3Location"),
    *("s3_location", "location", "input_image", "screenshot"),
)
_INNER: Final = ("source", "s3Location", "s3_location", "location", "data", "file_data")
_DATA_KEYS: Final = ("base64", "data", "file_data", "bytes", "result", "b64_json", "blob")
_URI_KEYS: Final = (
    *("url", "image_url", "file_url", "file_uri", "fileUri", "uri", "video_url"),
    *("document_url", "gcs_uri"),
)
_ID_KEYS: Final = ("file_id", "fileId", "id")
_MIME_KEYS: Final = ("mime_type", "media_type", "mimeType", "mediaType")
_FORMAT_KEYS: Final = ("format", "output_format")
_MODALITIES: Final = ("image", "audio", "video")
_DOCUMENT: Final = "document"
_DATA_URL: Final = "data:"
_MIME_TYPE: Final = r"[a-z]+/[\w.+-]{1,64}"
_RIFF: Final = b"RIFF"

MEDIA_TYPES: Final = frozenset(
    (
        *("image", "image_url", "input_image", "output_image", "image_generation_call"),
        *("audio", "audio_url", "input_audio", "output_audio"),
        *("video", "video_url", "input_video", "file", "input_file", "output_file", "media"),
        *("document_url", "inline_data", "file_data", "container_upload", "blob"),
        *("computer_screenshot", "input_document"),
    )
)
"""The types of blocks that carry media, in the words of LangChain and of providers."""

# By these keys, instead of a type, Bedrock's and Google's own blocks say what they are.
BARE: Final = ("image", "video", "audio", "document", "inline_data", "inlineData", "file_data")
_SAID_BESIDE: Final = ("revised_prompt", "transcript", "title", "context", "caption")
_SAYS_PART: Final = "modality"
_HOLDERS: Final = (*_DATA_KEYS, *_URI_KEYS)
# Shorter texts than that may be an address, or a word.
_LEAST: Final = 64
_DOCUMENT_TYPES: Final = {
    "pdf": "application/pdf",
    "json": "application/json",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "md": "text/markdown",
}


def measured(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a dictionary that carries inline data as a part, with what else it says.

    Args:
        value: any dictionary in content; None is returned of one that carries none.
    """
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in MEDIA_TYPES or _SAYS_PART in value:
        return None
    carriers = _carriers(value)
    if not any(map(_is_long, _values(carriers, _DATA_KEYS))) and not any(
        isinstance(each, str) and each.startswith(_DATA_URL)
        for each in _values(carriers, _URI_KEYS)
    ):
        return None
    beside = {key: each for key, each in value.items() if key not in (*_ENVELOPES, *_HOLDERS)}
    return {**beside, **media(value)}


def media(block: Mapping[str, Any]) -> dict[str, Any]:
    """Read an image, a sound, a film or a file: given inline, by address or by id."""
    carriers = _carriers(block)
    payload = _payload(carriers)
    kind = _kind(block)
    mime_type = _mime_type(carriers, kind) or payload.get("mime_type")
    modality = _modality(kind, mime_type)
    part = {"modality": modality, **payload, **({"mime_type": mime_type} if mime_type else {})}
    return part | _texts(block)


def blob(data: str | bytes, modality: str, mime_type: str | None = None) -> dict[str, Any]:
    """Return what stands for inline data: its size, not a copy."""
    part = {"modality": modality, **_blob(data)}
    if mime_type is None and isinstance(data, bytes) and data[:4] == _RIFF:
        mime_type = f"{modality}/wav"
    return part | ({"mime_type": mime_type} if mime_type else {})


def is_data(value: object) -> bool:
    """Say whether a value may be inline data."""
    return isinstance(value, str | bytes | bytearray | memoryview) and bool(len(value))


def _is_long(value: object) -> bool:
    return is_data(value) and (not isinstance(value, str) or len(value) > _LEAST)


def without_data(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block that only its provider knows as it is, but for inline data."""
    return {key: _shortened(value) if key in _DATA_KEYS else value for key, value in block.items()}


def _shortened(value: object) -> object:
    return f"<{len(value)} characters>" if isinstance(value, str) else value


def _kind(block: Mapping[str, Any]) -> str:
    kind = block.get("type")
    if isinstance(kind, str):
        return kind
    return next((key for key in BARE if isinstance(block.get(key), dict)), "")


def _carriers(block: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the block, its envelopes, and what is in those."""
    envelopes = [found for key in _ENVELOPES if isinstance(found := block.get(key), dict)]
    inner = [
        found for each in envelopes for key in _INNER if isinstance(found := each.get(key), dict)
    ]
    return (block, *envelopes, *inner)


def _payload(carriers: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    uri = _first_text(carriers, _URI_KEYS)
    if uri is not None and not uri.startswith(_DATA_URL):
        return {"type": "uri", "uri": uri}
    data = uri or next((value for value in _values(carriers, _DATA_KEYS) if is_data(value)), None)
    file_id = None if data else _first_text(carriers, _ID_KEYS)
    return {"type": "file", "file_id": file_id} if file_id else _blob(data or "")


def _blob(data: str | bytes) -> dict[str, Any]:
    size = len(data)
    part: dict[str, Any] = {"type": "blob", "content": "", "size": size}
    if not isinstance(data, str):
        return part
    header = data.find(",") + 1 if data.startswith(_DATA_URL) else 0
    size = (len(data) - header) * 3 // 4 - data[-2:].count("=")
    mime_type = data[len(_DATA_URL) : header].partition(";")[0]
    return part | {"size": size} | ({"mime_type": mime_type} if mime_type else {})


def _mime_type(carriers: tuple[Mapping[str, Any], ...], kind: str) -> str | None:
    """Return the type that a block names, or that its format is of."""
    named = _first_text(carriers, _MIME_KEYS)
    given = _first_text(carriers, _FORMAT_KEYS)
    if named is not None or given is None:
        return named
    modality = _modality(kind, None)
    if modality == _DOCUMENT:
        return _DOCUMENT_TYPES.get(given.lower())
    mime_type = f"{modality}/{given.lower()}"
    return mime_type if re.fullmatch(_MIME_TYPE, mime_type) else None


def _texts(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said beside inline data."""
    extras = block.get("extras")
    said = {**(extras if isinstance(extras, dict) else {}), **block}
    kept = {key: said.get(key) for key in _SAID_BESIDE}
    return {key: text for key, text in kept.items() if isinstance(text, str) and text}


def _modality(kind: str, mime_type: str | None) -> str:
    description = f"{kind} {mime_type or ''}"
    return next((name for name in _MODALITIES if name in description), _DOCUMENT)


def _values(carriers: tuple[Mapping[str, Any], ...], keys: tuple[str, ...]) -> Iterator[Any]:
    return (carrier.get(key) for carrier in carriers for key in keys)


def _first_text(carriers: tuple[Mapping[str, Any], ...], keys: tuple[str, ...]) -> str | None:
    found = _values(carriers, keys)
    return next((value for value in found if isinstance(value, str) and value), None)
