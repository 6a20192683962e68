"""Traces of turns for whoever runs Primum: names, times, token counts and statuses, never a word that was said.

To a collector of theirs by OpenTelemetry (`PRIMUM_OTLP_URL`), to LangSmith if it is wanted by name
(`PRIMUM_LANGSMITH`). LangSmith's own switches in the environment are not enough: they would send whole conversations.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from primum.graph.errors import BadInput
from primum.graph.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

# What of a span leaves. Everything else stays here, also what a later version of the instrumentation adds.
KEPT = frozenset({"openinference.span.kind", "llm.model_name"})
COUNTS = "llm.token_count."
_HIDDEN = ("inputs", "outputs", "prompts", "choices", "llm_invocation_parameters", "llm_tools", "retrieval_documents")
_MISSING = "PRIMUM_OTLP_URL needs more packages: run `pip install 'primum[telemetry]'`, or leave it out."


@asynccontextmanager
async def tracing(settings: Settings) -> AsyncIterator[None]:
    """Sends traces as the settings say while it is open, and what was not sent yet as it closes.

    What was asked of LangSmith by the environment alone is switched off, and stays so in this process.

    Raises:
        BadInput: `PRIMUM_OTLP_URL` is set without the packages for it.
    """
    async with AsyncExitStack() as stack:
        _langsmith(settings.langsmith, stack)
        if settings.otlp_url:
            await _collector(settings.otlp_url, stack)
        yield


def _langsmith(wanted: bool, stack: AsyncExitStack) -> None:
    import langsmith

    if not wanted:
        langsmith.configure(enabled=False)
        return
    client = langsmith.Client(
        hide_inputs=True,
        hide_outputs=True,
        hide_metadata=True,
        anonymizer=lambda given: dict.fromkeys(given, ""),  # for errors, which no `hide_…` is for
    )
    langsmith.configure(client=client, enabled=True)
    stack.push_async_callback(asyncio.to_thread, client.flush)
    stack.callback(langsmith.configure, enabled=False)


async def _collector(url: str, stack: AsyncExitStack) -> None:
    try:
        from openinference.instrumentation import TraceConfig
        from openinference.instrumentation.langchain import LangChainInstrumentor
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise BadInput(_MISSING) from None
    instrumentor = LangChainInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        return  # by another agent of this process, or by the program around it, whose spans those are
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "primum"}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(_bare_exporter(exporter)))
    hidden: dict[str, Any] = {f"hide_{what}": True for what in _HIDDEN}
    instrumentor.instrument(tracer_provider=provider, config=TraceConfig(**hidden), skip_dep_check=True)
    stack.push_async_callback(asyncio.to_thread, provider.shutdown)
    stack.callback(instrumentor.uninstrument)


def _bare_exporter(exporter: "SpanExporter") -> "SpanExporter":
    """The exporter, which gets to see of spans what may leave alone."""
    send = exporter.export

    def export(spans: "Sequence[ReadableSpan]") -> Any:
        return send([bare(span) for span in spans])

    exporter.export = export  # type: ignore[method-assign]
    return exporter


def bare(span: "ReadableSpan") -> "ReadableSpan":
    """A span without events, links and descriptions, and of its attributes those that hold no word that was said."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Status

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={
            name: value for name, value in (span.attributes or {}).items() if name in KEPT or name.startswith(COUNTS)
        },
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
