"""What the doctor has found, in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ....telemetry.console import duration, when
from .._terminal.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ....telemetry.checkup import EndpointCheck, SettingInForce
    from ....telemetry.journal import Backlog, JournalStatus, Repair
    from .findings import Findings

_ARGUMENT: Final = "argument"
_DEFAULT: Final = "default"


def lines(found: Findings) -> Iterator[str]:
    """Give what was found as lines: the journal, the endpoints, the settings."""
    yield f"journal   {plain(str(found.path))}"
    if found.repaired is not None:
        yield from _repair(found.repaired)
    if found.status is not None:
        yield from _journal(found.status, is_sound=found.is_sound)
        if len(found.services) > 1:
            yield f"services  {plain(', '.join(found.services))}"
        if found.trouble is not None:
            yield f"          WRONG: {plain(found.trouble)}"
    elif found.is_missing:
        yield "state     there is none yet: nothing was recorded"
    else:
        yield f"state     {plain(found.trouble or 'it cannot be read')}"
    if not found.records:
        yield "records   no: programs do not write it (NODESPAN_JOURNAL=on has them do so)"
    for check in found.endpoints:
        yield from _endpoint(check)
    if found.troubled and not found.endpoints:
        yield "endpoint  not asked: a setting below cannot work"
    elif not found.endpoints:
        yield "endpoint  none: nothing is sent (OTEL_EXPORTER_OTLP_ENDPOINT would say where)"
    yield from _settings(found.settings)


def _repair(repaired: Repair) -> Iterator[str]:
    yield f"repaired  the damaged one lies at {plain(str(repaired.aside))}"
    yield f"recovered {_counted(repaired.recovered, 'span')}"
    lost = (
        _counted(repaired.lost, "span") if repaired.lost is not None else "nothing tells how many"
    )
    yield f"not read  {lost}"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _journal(status: JournalStatus, *, is_sound: bool) -> Iterator[str]:
    yield f"state     {'sound' if is_sound else 'damaged: nodespan doctor --repair recovers it'}"
    yield f"size      {status.bytes / 1_000_000:.1f} MB"
    held = f"{_counted(status.traces, 'trace')}, {_counted(status.spans, 'span')}"
    yield f"holds     {held}, {status.open_spans:,} open"
    if status.oldest is not None:
        yield f"oldest    {when(status.oldest)}"
    yield f"writers   {', '.join(map(str, status.writers)) or 'none now'}"
    yield f"dropped   {status.dropped:,} before an endpoint had them"
    yield f"lost      {status.lost:,} were open when their process died"
    yield f"refused   {status.refused:,} by an endpoint"
    for backlog in status.backlogs:
        yield f"owed      {_owed(backlog)}"


def _owed(backlog: Backlog) -> str:
    since = f", the oldest since {when(backlog.oldest)}" if backlog.oldest is not None else ""
    logs = f" and {_counted(backlog.log_records, 'log record')}" if backlog.log_records else ""
    return f"{_counted(backlog.spans, 'span')}{logs} to {plain(backlog.url)}{since}"


def _endpoint(check: EndpointCheck) -> Iterator[str]:
    took = duration(check.seconds * 1e9, ascii_only=True)
    verdict = "takes" if check.is_well else "DOES NOT TAKE"
    yield f"endpoint  {plain(check.url)} {verdict} {check.signal}: {plain(check.answer)} in {took}"
    if check.message:
        yield f"          {plain(check.message)}"


def _settings(settings: tuple[SettingInForce, ...]) -> Iterator[str]:
    shown = [each for each in settings if each.source != _DEFAULT or each.trouble]
    silent = [each for each in settings if each.source == _DEFAULT and not each.trouble]
    for each in shown:
        source = "" if each.source == each.name else f"  by {_source(each)}"
        yield f"setting   {plain(each.name)} = {plain(each.value) or '(empty)'}{source}"
        if each.trouble:
            yield f"          WRONG: {plain(each.trouble)}"
    for each in silent:
        yield f"default   {each.name} = {plain(each.value) or '(none)'}"


def _source(setting: SettingInForce) -> str:
    return "an argument" if setting.source == _ARGUMENT else plain(setting.source)
