"""Encodes log records of the SDK's, each with who wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._upstream.opentelemetry import log_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord


def encoded_logs(records: Sequence[ReadableLogRecord]) -> list[tuple[bytes, bytes, bytes, int]]:
    """Return resource, scope, record and time of each, as OTLP has them."""
    encode_logs = log_encoder()
    if encode_logs is None:
        return []
    found = []
    for group in encode_logs(records).resource_logs:
        scopes = list(group.scope_logs)
        del group.scope_logs[:]
        resource = group.SerializeToString()
        for scope in scopes:
            encoded = list(scope.log_records)
            del scope.log_records[:]
            made_by = scope.SerializeToString()
            found += [
                (resource, made_by, each.SerializeToString(), each.observed_time_unix_nano)
                for each in encoded
            ]
    return found
