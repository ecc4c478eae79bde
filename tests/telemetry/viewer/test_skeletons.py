"""A trace's tree as the page loads it first, of spans that come in any order and say anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as some

from nodespan.telemetry._views.skeleton import _part_circles

if TYPE_CHECKING:
    from starlette.testclient import TestClient

TRACE_ID = "5b8efff798038103d269b633813fc60c"
# Each as its number, its parent's, when it starts, and its name: the last to start comes first.
SPANS = (
    (7, 6, 50, "evaluation tone"),
    (3, 2, 40, "chat small"),
    (2, 1, 20, "node model"),
    (6, 1, 30, "node model"),
    (4, 5, 60, "each is the other's"),
    (5, 4, 70, "each is the other's"),
    (8, 99, 80, "its parent is elsewhere"),
    (9, 9, 90, "its own parent"),
    (1, None, 10, "invoke_agent seer"),
)


def sent(
    viewer: TestClient,
    spans: tuple[tuple[int, int | None, int, str], ...],
    trace_id: str = TRACE_ID,
) -> None:
    """Send spans of one trace, in this order."""
    made = [
        {
            "traceId": trace_id,
            "spanId": f"{number:016x}",
            **({"parentSpanId": f"{parent:016x}"} if parent is not None else {}),
            "name": name,
            "startTimeUnixNano": str(1_544_712_660_000_000_000 + start * 1000),
            "endTimeUnixNano": str(1_544_712_661_000_000_000),
        }
        for number, parent, start, name in spans
    ]
    content = {"resourceSpans": [{"scopeSpans": [{"spans": made}]}]}
    assert viewer.post("/v1/traces", json=content).json() == {}


def tree(viewer: TestClient, **query: Any) -> list[tuple[int, str, int]]:
    """Return number, name and parent's place of each span, as the page has them."""
    told = viewer.get(f"/api/traces/{TRACE_ID}", params=query).json()
    spans = told["spans"]
    names = [told["names"][place] for place in spans["name"]]
    numbers = [int(each, 16) for each in spans["span_id"]]
    return list(zip(numbers, names, spans["parent"], strict=True))


def test_spans_are_by_their_start_with_the_places_of_their_parents(viewer: TestClient) -> None:
    """In whatever order they came; what has no parent here, or itself above it, is a root."""
    sent(viewer, SPANS)
    assert tree(viewer) == [
        (1, "invoke_agent seer", -1),
        (2, "node model", 0),
        (6, "node model", 0),
        (3, "chat small", 1),
        (7, "evaluation tone", 2),
        (4, "each is the other's", -1),
        (5, "each is the other's", 5),
        (8, "its parent is elsewhere", -1),
        (9, "its own parent", -1),
    ]
    told = viewer.get(f"/api/traces/{TRACE_ID}").json()
    assert (told["evaluations"], told["parents_missing"], told["dropped"]) == ({"2": 1}, 1, 0)
    assert told["spans"]["start_us"] == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    assert told["cursor"] == len(SPANS)


def test_the_first_spans_are_those_that_started_first(viewer: TestClient) -> None:
    """Of a trace that is too large, and not those that came first."""
    sent(viewer, SPANS)
    assert [number for number, _, _ in tree(viewer, max_spans=3)] == [1, 2, 6]
    assert viewer.get(f"/api/traces/{TRACE_ID}?max_spans=3").json()["dropped"] == len(SPANS) - 3


def test_spans_that_lie_far_apart_are_found_as_well(viewer: TestClient) -> None:
    """A trace that goes on while many others run is read in the same order, without theirs."""
    sent(viewer, SPANS)
    together = tree(viewer)
    others = tuple((number, None, number, "another") for number in range(1, 101))
    sent(viewer, others, "6" * 32)
    sent(viewer, ((10, 1, 15, "late"),))
    apart = tree(viewer)
    assert [each[:2] for each in apart if each[0] != 10] == [each[:2] for each in together]
    assert apart[1] == (10, "late", 0)
    assert [number for number, _, _ in tree(viewer, max_spans=3)] == [1, 10, 2]


@given(some.lists(some.integers(min_value=-1, max_value=19), max_size=20))
def test_no_circle_is_left(parents: list[int]) -> None:
    """Whatever spans say of each other, each leads up to a root; a tree is left as it is."""
    parents = [parent if parent < len(parents) else -1 for parent in parents]
    parted = list(parents)
    _part_circles(parted)
    cut = sum(before != after for before, after in zip(parents, parted, strict=True))
    assert cut == sum(_is_first_of_circle(parents, place) for place in range(len(parents)))
    for place in range(len(parted)):
        steps, at = 0, place
        while at >= 0:
            steps, at = steps + 1, parted[at]
            assert steps <= len(parted)


def _is_first_of_circle(parents: list[int], place: int) -> bool:
    """Say whether a span is the first of those that it comes back to itself by."""
    met = [place]
    while parents[met[-1]] >= 0 and len(met) <= len(parents):
        met.append(parents[met[-1]])
        if met[-1] == place:
            return place == min(met)
    return False
