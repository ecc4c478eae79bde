"""`/v1/traces` and its neighbours: what OTLP/HTTP asks, and OTLP's own answers.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.protobuf.json_format import MessageToJson
from google.rpc.code_pb2 import (  # type: ignore[import-untyped]  # it has no types
    INTERNAL,
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAVAILABLE,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # as above
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from .body import Bounds, RefusedError, read_body
from .decoding import JSON, PROTOBUF, decoded
from .rate import Rate
from .unkept import LOGS, METRICS, unkept_logs, unkept_metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message
    from starlette.requests import Request

    from .taking import Taking

PATH: Final = "/v1/traces"
_KINDS: Final = {JSON: JSON, PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF}
_CODES: Final = {429: RESOURCE_EXHAUSTED, 500: INTERNAL, 503: UNAVAILABLE}
_OTHER_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "PUT")
_REQUESTS_A_SECOND: Final = 500.0
_BYTES_A_SECOND: Final = 64e6
_MOST_AT_ONCE: Final = 8
_SOON: Final = 1
_LOGGER: Final = logging.getLogger("nodespan.telemetry")


class Receiver:
    """Answers programs that send spans.

    Args:
        taking: writes them into the journal.
        bounds: how large a body may be.
        requests: how many requests may come.
        sent: how many bytes may come.
    """

    def __init__(
        self,
        taking: Taking,
        bounds: Bounds | None = None,
        requests: Rate | None = None,
        sent: Rate | None = None,
    ) -> None:
        self._taking = taking
        self._bounds = bounds or Bounds()
        self._requests = requests or Rate(_REQUESTS_A_SECOND, 2 * _REQUESTS_A_SECOND)
        self._sent = sent or Rate(_BYTES_A_SECOND, 4 * _BYTES_A_SECOND)
        self._now = 0
        self._told: set[str] = set()

    def routes(self) -> list[Route]:
        """Return the routes, for starlette."""
        taken = {
            PATH: _Signal("spans", ExportTraceServiceRequest, self._take, None),
            "/v1/metrics": _Signal("metrics", ExportMetricsServiceRequest, unkept_metrics, METRICS),
            "/v1/logs": _Signal("log records", ExportLogsServiceRequest, unkept_logs, LOGS),
        }
        return [
            route
            for path, signal in taken.items()
            for route in (
                Route(path, partial(self._receive, signal), methods=["POST"]),
                Route(path, partial(_only_posted, signal), methods=_OTHER_METHODS),
            )
        ]

    async def _receive(self, signal: _Signal, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        known = _KINDS.get(kind)
        if known is None:
            unknown = RefusedError(415, f"content type {kind[:100]!r} is none of OTLP's")
            return _refusal(unknown, JSON)
        try:
            said = await self._answered(signal, request, known)
        except RefusedError as error:
            return _refusal(error, known)
        except ClientDisconnect:
            return Response(status_code=400)
        if signal.unkept is not None and signal.unkept not in self._told:
            self._told.add(signal.unkept)
            _LOGGER.warning(signal.unkept)
        return _answer(said, known)

    async def _answered(self, signal: _Signal, request: Request, kind: str) -> Message:
        if self._now >= _MOST_AT_ONCE or not self._requests.takes(1):
            raise RefusedError(429, "too many requests at once", _SOON)
        self._now += 1
        try:
            body = await read_body(request, self._bounds)
            if not self._sent.takes(len(body)):
                raise RefusedError(429, "too many bytes a second", _SOON)
            return await run_in_threadpool(
                lambda: signal.answer(decoded(body, kind, signal.request))
            )
        finally:
            self._now -= 1

    def _take(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        taken = self._taking.take(request)
        said = ExportTraceServiceResponse()
        if taken.rejected:
            said.partial_success.rejected_spans = taken.rejected
            said.partial_success.error_message = taken.reason
        return said


class _Signal(NamedTuple):
    """What is done with the requests of a signal.

    Attributes:
        what: they bring.
        request: of OTLP.
        answer: returns the answer to it.
        unkept: said once when one comes, where nothing of it is kept.
    """

    what: str
    request: type[Message]
    answer: Callable[[Any], Message]
    unkept: str | None


async def _only_posted(signal: _Signal, _: Request) -> Response:
    answer = _refusal(RefusedError(405, f"POST {signal.what} here, as OTLP/HTTP does"), JSON)
    answer.headers["Allow"] = "POST"
    return answer


def _refusal(error: RefusedError, kind: str) -> Response:
    code = _CODES.get(error.status, INVALID_ARGUMENT)
    answer = _answer(Status(code=code, message=str(error)), kind, error.status)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _answer(message: Message, kind: str, status: int = 200) -> Response:
    content = (
        message.SerializeToString() if kind == PROTOBUF else MessageToJson(message, indent=None)
    )
    return Response(content, status_code=status, media_type=kind)
