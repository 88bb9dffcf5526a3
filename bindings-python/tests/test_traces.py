"""With OpenTelemetry in use a request belongs to the span that is the caller's when the call is made."""

import asyncio

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, Tracer, use_span

from storycore import AsyncStoryCoreClient, StoryCoreClient
from storycore.testing import LocalPlatform


@pytest.fixture
def tracer() -> Tracer:
    return TracerProvider().get_tracer("film")


def sent(platform: LocalPlatform) -> list[str | None]:
    """The `traceparent` of each request for projects, the oldest first."""
    return [request.headers.get("traceparent") for request in platform.requests(path="/api/projects")]


def parent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def test_a_call_belongs_to_the_callers_span(
    client: StoryCoreClient, storycore_platform: LocalPlatform, tracer: Tracer
) -> None:
    with tracer.start_as_current_span("outer") as outer:
        client.projects.list()
        with tracer.start_as_current_span("inner") as inner:
            client.projects.list()
        client.projects.list()
    contexts = [span.get_span_context() for span in (outer, inner, outer)]
    assert sent(storycore_platform) == [parent(context) for context in contexts]
    client.projects.list()
    last = sent(storycore_platform)[-1]
    assert last is None or f"{contexts[0].trace_id:032x}" not in last


def test_a_span_that_is_not_sampled_says_so(client: StoryCoreClient, storycore_platform: LocalPlatform) -> None:
    context = SpanContext(trace_id=0xABC, span_id=0xDEF, is_remote=True, trace_flags=TraceFlags(0))
    with use_span(NonRecordingSpan(context)):
        client.projects.list()
    assert sent(storycore_platform) == [parent(context)]


def test_each_task_has_its_own_span(
    async_client: AsyncStoryCoreClient, storycore_platform: LocalPlatform, tracer: Tracer
) -> None:
    async def call(name: str) -> Span:
        with tracer.start_as_current_span(name) as span:
            await asyncio.sleep(0.01)
            await async_client.projects.list()
            assert isinstance(span, Span)
            return span

    async def run() -> list[Span]:
        return await asyncio.gather(*(call(f"cut {number}") for number in range(8)))

    spans = asyncio.run(run())
    contexts = [span.get_span_context() for span in spans]
    assert sorted(map(str, sent(storycore_platform))) == sorted(parent(c) for c in contexts if c is not None)
