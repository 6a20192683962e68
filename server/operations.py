"""What whoever runs Primum sees: who they are, how it goes, Prometheus' metrics. Nothing of a patient is in it."""

import contextlib
import math
import shutil
from typing import Annotated, Any, get_args

from fastapi import FastAPI, Query, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy import text

from primum import __version__
from primum.graph.answer import Answer
from primum.graph.answer import Status as AnswerStatus
from primum.graph.errors import MemoryUnavailable
from primum.graph.resources import Resources
from primum.graph.senses import Sense
from primum.memory.identity import Identity
from primum.memory.scopes import Role, Scope
from primum.safety.findings import Severity
from primum.server.access import access_of, agent_of
from primum.server.problems import Responses

# Errors that a question, or another request that the database is needed for, comes to nothing by.
FAILURES = (
    *("MemoryUnavailable", "ModelUnavailable", "InvalidModelOutput", "RetrievalFailed", "BadInput", "TurnFailed"),
    "InternalError",  # which nobody foresaw; the log names it
)
SEARCHES = ("gather", "retrieve")  # steps whose failures are an alarm
TOKENS = ("prompt", "cached", "completion")
_PATIENTS = text("""
select id from patients where tenant = :tenant and strpos(lower(id), lower(:like)) > 0
order by created_at desc limit :limit
""")
_STATUSES = text("""
select at::date::text as day, details->>'status' as status, count(*) as answers from audit_events
where action = 'answer' and at > now() - make_interval(days => :days) group by 1, 2 order by 1, 2
""")
_DAYS = text("""
select at::date::text as day, count(*) as answers,
  percentile_cont(0.5) within group (order by (details->>'ms')::double precision) as p50_ms,
  percentile_cont(0.95) within group (order by (details->>'ms')::double precision) as p95_ms,
  coalesce(sum((details->'tokens'->>'prompt')::bigint), 0)::bigint as prompt_tokens,
  coalesce(sum((details->'tokens'->>'cached')::bigint), 0)::bigint as cached_tokens,
  coalesce(sum((details->'tokens'->>'completion')::bigint), 0)::bigint as completion_tokens
from audit_events where action = 'answer' and details ? 'ms' and at > now() - make_interval(days => :days)
group by 1 order by 1
""")
_FINDINGS = text("""
select rule, count(*) as answers
from audit_events cross join jsonb_array_elements_text(details->'findings') as rule
where action = 'answer' and at > now() - make_interval(days => :days) group by rule order by 2 desc, 1 limit 20
""")
_RATINGS = text("""
select count(*) filter (where details->>'rating' = '1') as up, count(*) filter (where details->>'rating' = '-1') as down
from audit_events where action = 'feedback' and at > now() - make_interval(days => :days)
""")
_JOBS = text("""
select queue_name as queue, status::text, count(*) from jobs.procrastinate_jobs group by 1, 2 order by 1, 2
""")
_WAITING = text("""
select count(*) filter (where status = 'todo'), count(*) filter (where status = 'failed') from jobs.procrastinate_jobs
""")


class Who(BaseModel):
    """Who asks, and what they may do."""

    version: str = __version__
    login: bool = Field(description="Whether a key or token is needed.")
    role: Role
    tenant: str
    patient: str | None = Field(description="The only one that a patient's key or token speaks for.")
    scopes: list[Scope]
    sign_off: bool = Field(description="Whether answers to patients wait for a clinician.")
    senses: list[Sense] = Field(description="What POST /words reads.")


class Day(BaseModel):
    day: str
    answers: int
    p50_ms: float
    p95_ms: float
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


class Status(BaseModel):
    day: str
    status: str
    answers: int


class Rule(BaseModel):
    rule: str
    answers: int


class Jobs(BaseModel):
    queue: str
    status: str
    count: int


class Statistics(BaseModel):
    """How a tenant's last days went, by the audit trail; `jobs` are the whole installation's."""

    days: list[Day]
    statuses: list[Status]
    findings: list[Rule]
    ratings: dict[str, int]
    jobs: list[Jobs]
    library: dict[str, Any]


class Metrics:
    """This process' counts, for Prometheus. Labels are few and fixed: no patient, thread, path or rule is one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"primum_{name}", told, labels, registry=self.registry)

        self._answers = counter("answers", "Answers by status", "status")
        self._failures = counter(
            "failures", "Questions that came to nothing, or that the database kept from being asked", "error"
        )
        self._degraded = counter("degraded", "Steps that a turn went on without", "step")
        self._findings = counter("findings", "Findings by severity", "severity")
        self._removed = counter("removed_sentences", "Sentences that the audit took out")
        self._tokens = counter("tokens", "Tokens of the model", "kind")
        # From the start, at none: of a line that begins with one, Prometheus does not see the rise.
        for status in get_args(AnswerStatus):
            self._answers.labels(status)
        for error in FAILURES:
            self._failures.labels(error)
        for step in SEARCHES:
            self._degraded.labels(step)
        for severity in get_args(Severity):
            self._findings.labels(severity)
        for kind in TOKENS:
            self._tokens.labels(kind)
        self._seconds = Histogram(
            "primum_turn_seconds",
            "Time from a question to its answer",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120),
            registry=self.registry,
        )

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"primum_{name}", told, labels, registry=self.registry)

        self._running = gauge("running_turns", "Turns under way in this process")
        self._parts = gauge("part_up", "1 if this part is up, else 0", "part")
        self._jobs = gauge("waiting_jobs", "Jobs of the whole installation that wait; NaN without the database")
        self._failed = gauge("failed_jobs", "Jobs of the whole installation that failed; NaN without the database")
        self._free = gauge("disk_free_bytes", "Left on the disk of PRIMUM_HOME; NaN if that is not there")
        self._disk = gauge("disk_bytes", "Size of the disk of PRIMUM_HOME; NaN if that is not there")

    def answered(self, answer: Answer, seconds: float) -> None:
        self._answers.labels(answer.status).inc()
        self._seconds.observe(seconds)
        self._removed.inc(answer.support.removed)
        for finding in answer.safety.findings:
            self._findings.labels(finding.severity).inc()
        for kind in TOKENS:
            self._tokens.labels(kind).inc(answer.trace.tokens.get(kind, 0))
        for problem in answer.trace.problems:
            self._degraded.labels(problem.partition(":")[0]).inc()

    def failed(self, error: str) -> None:
        self._failures.labels(error if error in FAILURES else FAILURES[-1]).inc()

    def running(self, turns: int) -> None:
        self._running.set(turns)

    async def exposed(self, resources: Resources) -> Response:
        """All of it as Prometheus reads it; asks each part how it is."""
        health = await resources.health()
        for part, known in health.items():
            self._parts.labels(part).set(known["state"] == "up")
        waiting, failed = math.nan, math.nan
        if health["database"]["state"] == "up":  # or it is waited for once more, and Prometheus waits for ten seconds
            with contextlib.suppress(MemoryUnavailable):
                async with resources.database.begin_as_worker() as connection:
                    waiting, failed = (await connection.execute(_WAITING)).one()
        self._jobs.set(waiting)
        self._failed.set(failed)
        try:
            disk = shutil.disk_usage(resources.settings.home)
            self._free.set(disk.free)
            self._disk.set(disk.total)
        except OSError:
            self._free.set(math.nan)
            self._disk.set(math.nan)
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


def add_operation_routes(app: FastAPI, errors: Responses) -> None:
    @app.get("/me", responses=errors)
    async def me(request: Request) -> Who:
        """Who asks, and what they may do."""
        access, settings = access_of(request), agent_of(request).resources.settings
        return Who(
            login=settings.auth == "required",
            role=access.role,
            tenant=access.tenant,
            patient=access.patient,
            scopes=sorted(access.scopes),
            sign_off=settings.sign_off == "patients",
            senses=agent_of(request).resources.senses.able,
        )

    @app.get("/patients", responses=errors)
    async def patients(
        request: Request,
        like: Annotated[str, Query(max_length=128, description="Only with this in their name.")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> list[str]:
        """The tenant's patients, the newest first; of a patient, themselves."""
        access = access_of(request)
        access.need("chart")
        if access.patient is not None:
            return [access.patient]
        async with agent_of(request).resources.database.begin_as_worker() as connection:
            given = {"tenant": access.tenant, "like": like, "limit": limit}
            return list(await connection.scalars(_PATIENTS, given))

    @app.get("/statistics", responses=errors)
    async def statistics(request: Request, days: Annotated[int, Query(ge=1, le=365)] = 14) -> Statistics:
        """How the last days went: answers, times, tokens, findings, ratings, jobs."""
        access, resources = access_of(request), agent_of(request).resources
        access.need("operate")
        found: dict[str, Any] = {}
        async with resources.database.begin(Identity(access.tenant, "")) as connection:
            for name, query in (("statuses", _STATUSES), ("days", _DAYS), ("findings", _FINDINGS)):
                found[name] = [row._asdict() for row in await connection.execute(query, {"days": days})]
            found["ratings"] = (await connection.execute(_RATINGS, {"days": days})).one()._asdict()
        async with resources.database.begin_as_worker() as connection:
            found["jobs"] = [row._asdict() for row in await connection.execute(_JOBS)]
        return Statistics(**found, library=await resources.library.state())

    exposition: Responses = {
        200: {"description": "Prometheus' text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }

    @app.get("/metrics", responses=errors | exposition, response_class=Response)
    async def metrics(request: Request) -> Response:
        """This process' metrics, as Prometheus reads them."""
        access_of(request).need("operate")
        counts: Metrics = request.app.state.metrics
        return await counts.exposed(agent_of(request).resources)
