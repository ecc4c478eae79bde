"""Keeps Phoenix's gRPC receiver on 127.0.0.1: it listens everywhere, and no setting says where."""

from __future__ import annotations

from typing import Any

import grpc.aio

_make_server = grpc.aio.server


def _loopback_server(*arguments: Any, **options: Any) -> Any:
    server = _make_server(*arguments, **options)
    add_insecure_port = server.add_insecure_port
    server.add_insecure_port = lambda address: add_insecure_port(
        address.replace("[::]", "127.0.0.1")
    )
    return server


grpc.aio.server = _loopback_server
