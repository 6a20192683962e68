"""Sessions that go on while parts are killed and wires break, at random. Prints JSON; exits 1 if a check failed.

    python -m bench.chaos [--seconds 600] [--sessions 50] [--pace 30] [--every 4] [--seed 1] [--pgbouncer]
        [--logs FOLDER]

The parts are processes of this machine: Postgres, a scripted model server that embeds as well, two of `primum serve
api`, two of `primum serve worker`. Between each of these four and each of its servers, and between the sessions and
each API, is the fault proxy of the tests. Every few seconds one or two parts are killed (SIGKILL) and started again
after a while, or one or two wires are broken and mended; the seed says which, how and for how long. A session asks as
a client does that wants its answer: after an error it asks the other API, with the same idempotency key or by the last
event's id.

At the end: was each acknowledged turn (one of whose events came) answered, and as it was told? Is there any answer,
fact or job's effect twice, or not at all? Is each citation's quote in its passage? Does the audit trail hold? Were
there errors but those that are documented? `recovery_s` is the time from a fault's end (a wire is mended; Postgres or
the model server is ready again; an API or a worker, of which there is another, is being started) until each API that is
ready has answered a new question, `jobs_s` until what was said in it is in the chart; `start_s` the time in which a
killed process is ready; a start that fails, as without a database, is made again.

Each of `limits` must hold as well: see `limits_of` for what and why. One that is null was not to be measured in a run
so short; the verdict is of the others.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from httpx_sse import SSEError, aconnect_sse
from psycopg.rows import dict_row

from bench.rig import Script, report
from primum.graph.settings import Settings
from primum.memory.audit import Audit
from primum.memory.jobs import AT_ONCE
from primum.memory.schema import upgrade
from primum.memory.secret import find_secret
from primum.memory.session import Database
from primum.retrieval.endpoint import EndpointEmbedder
from primum.retrieval.ingest import ingest
from primum.retrieval.starter import STARTER
from primum.server import postgres, process
from primum.server.port import free_port
from tests.fakes import Body, FakeVLLM, Says
from tests.faults.pgbouncer import PROGRAM, configured
from tests.faults.proxy import KINDS, Proxy, address_of, through

WRITER, JOBS = 4, AT_ONCE + 2  # connections of these smaller pools
SECRET = "a secret of the benchmark, which seals nothing of worth"
ALLERGENS = ("latex", "peanuts", "eggs", "soy", "milk", "fish", "shellfish", "sesame")
MEDICINES = ("Amlodipine", "Lisinopril", "Ramipril", "Losartan", "Bisoprolol", "Atenolol", "Valsartan", "Nifedipine")
EACH = len(ALLERGENS)  # turns of one patient
WORDS, DELAY = 120, 0.3  # of a draft; seconds that a model call takes
SECONDS = {"slow": 0.1, "drip": 0.0005}  # that these wires take, for a piece and for a byte
SHORTEST, LONGEST = 0.5, 6.0  # seconds that a fault lasts
PATIENCE = 180.0  # seconds after which a turn counts as given up, and the end as never reached
STEP = 0.2  # seconds between looks
SESSIONS = 20  # of Postgres, that all share behind PgBouncer
SAMPLE = 5.0  # seconds between measures of memory and connections
RECOVERY = 10.0  # seconds in which 19 of 20 faults are over
LAST = 30.0  # and each: the turn's own limit in this rig, so that a question waits for no fault that is over
MANY = 20  # faults of which there is a p95 that is not the longest
LIFE = 120.0  # seconds of a life whose second half is no warming up any more
GROWTH = 1.05  # of memory over that half: what was measured in ten minutes is 1.02 at most, in lives of 225 s
AT_REST = 24  # files that an idle process has open
# What a client may see, by name; see graph/errors.py and docs/operations.md.
DOCUMENTED = {"MemoryUnavailable"}
BROKEN = "connection"  # a client's own error, where the API or the wire to it is gone


def telling(turn: int) -> str:
    """An allergy, which the rules read, and a medicine, which the model finds: both new to the patient."""
    medicine = f"{MEDICINES[turn]} keeps my blood pressure down."
    return f"I'm allergic to {ALLERGENS[turn]}. {medicine} What are the symptoms of gout? ({turn})"


def serve_model(port: int, delay: float) -> None:
    """The scripted model server, until it is killed."""

    def proposals(body: Body) -> Says:
        said = re.search(r"(\w+) keeps my blood pressure down", str(body["messages"]))
        facts = [{"kind": "medicine", "value": said[1], "quote": said[0]}] if said else []
        return Says(json.dumps({"facts": facts}), first=delay)

    server = FakeVLLM()
    server.port = port
    server.default = Script(WORDS, delay, "")
    server.forms |= {"Choice": Says('{"numbers": [0]}', first=delay), "Proposals": proposals}
    with server:
        server._thread.join()


@dataclass
class Part:
    """A process that is started again when it ends, unless it is held down."""

    name: str
    log: Path
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    health: str = ""  # URL that says 200 once it is ready; none: it is at once
    held: bool = False
    over: bool = False  # nobody starts it again
    deaths: int = 0  # that were not ours, once it was ready
    stillborn: int = 0  # starts that ended before, as without a database
    starts: list[float] = field(default_factory=list)  # seconds until it was ready

    def __post_init__(self) -> None:
        self.pid = 0
        self._born: str | None = None
        self._started = 0.0
        self._killed = True  # by us, or never started
        self.ready = False

    def runs(self) -> bool:
        return self._born is not None and process.birth(self.pid) == self._born

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.pid = process.spawn(self.argv, log, {**os.environ, **self.env}).pid
        self._born, self._started, self.ready = process.birth(self.pid), perf_counter(), not self.health

    def kill(self) -> None:
        self.ready, self._killed = False, True
        process.end(self.pid, self._born, signal.SIGKILL)

    def end(self) -> None:
        process.end(self.pid, self._born)

    async def keep(self, http: httpx.AsyncClient) -> None:
        """Starts it whenever it does not run, and sees when it is ready."""
        while not self.over:
            if not self.held and not self.runs():
                self.deaths += self.ready and not self._killed
                self.stillborn += not (self.ready or self._killed)
                self._killed = False
                await asyncio.to_thread(self.start)
            if self.runs() and not self.ready:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(self.health)).status_code == 200:
                        self.ready = True
                        self.starts.append(perf_counter() - self._started)
            await asyncio.sleep(STEP)

    def megabytes(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def files(self) -> int:
        return len([*Path(f"/proc/{self.pid}/fd").iterdir()])


class PostgresPart(Part):
    """Postgres, as `primum up` starts it."""

    def __init__(self, folder: Path, log: Path) -> None:
        super().__init__("postgres", log, ())
        self.folder = folder

    def runs(self) -> bool:
        return postgres.running(self.folder) is not None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.pid = postgres.start(self.folder, log)
        self.ready = True

    def kill(self) -> None:
        self.ready, self._killed = False, True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        postgres.stop(self.folder)


@dataclass
class Told:
    """What the sessions saw."""

    acknowledged: set[str] = field(default_factory=set)  # runs of which an event came
    answers: dict[str, str] = field(default_factory=dict)
    turns: list[float] = field(default_factory=list)  # seconds
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    given_up: int = 0


class Reader:
    """Asks both APIs as a client does that wants its answer."""

    def __init__(self, apis: Sequence[httpx.AsyncClient], told: Told, chance: random.Random) -> None:
        self._apis = apis
        self._told = told
        self._chance = chance

    async def turn(self, patient: str, question: str, first: int) -> str:
        """One question until it is answered; the answer's status, '' if it was given up."""
        asked = {"question": question, "patient": patient}
        key, last, began = str(uuid4()), "", perf_counter()
        for number in range(first, sys.maxsize):
            if perf_counter() - began > PATIENCE:
                self._told.given_up += 1
                return ""
            api = self._apis[number % len(self._apis)]
            if last and self._chance.random() < 0.5:
                headers = {"last-event-id": last}
                self._told.resumed += 1
                sent = aconnect_sse(api, "GET", "/events", params={"patient": patient}, headers=headers)
            else:
                headers = {"idempotency-key": key}
                sent = aconnect_sse(api, "POST", f"/threads/{patient}/turns", json=asked, headers=headers)
            try:
                async with sent as source:
                    if source.response.status_code != 200:
                        await source.response.aread()
                        self._told.errors[str(source.response.json()["error"])] += 1
                    else:
                        async for event in source.aiter_sse():
                            if event.id:
                                last = event.id
                                self._told.acknowledged.add(last.partition("/")[0])
                            if event.event == "done":
                                return self._answered(json.loads(event.data), perf_counter() - began)
                            if event.event == "error":
                                self._told.errors[str(json.loads(event.data)["error"])] += 1
            except (httpx.HTTPError, SSEError, ValueError):
                self._told.errors[BROKEN] += 1
            await asyncio.sleep(self._chance.uniform(0.2, 1.0))
        raise AssertionError

    def _answered(self, answer: Mapping[str, Any], took: float) -> str:
        run = str(answer["trace"]["run_id"])
        self._told.acknowledged.add(run)
        self._told.answers[run] = str(answer["text"])
        self._told.turns.append(took)
        self._told.statuses[str(answer["status"])] += 1
        return str(answer["status"])

    async def session(self, number: int, pace: float, until: float) -> None:
        """Questions, one every `pace` seconds, until a time."""
        await asyncio.sleep(self._chance.random() * pace)
        turn = 0
        while perf_counter() < until:
            began = perf_counter()
            await self.turn(f"s{number}-{turn // EACH}", telling(turn % EACH), number + turn)
            turn += 1
            await asyncio.sleep(max(0.0, pace - (perf_counter() - began)))


@dataclass
class Rig:
    """All that runs."""

    parts: dict[str, Part]
    wires: dict[str, Proxy]
    apis: dict[str, httpx.AsyncClient]
    url: str  # Postgres', for its owner, without a proxy
    superuser: str
    folder: Path
    keeping: list[asyncio.Task[None]] = field(default_factory=list)
    doubled: set[str] = field(default_factory=set)  # parts of which there are two

    def keep(self, part: Part, http: httpx.AsyncClient) -> None:
        self.keeping.append(asyncio.create_task(part.keep(http)))

    async def pause(self) -> None:
        """A moment; raises what keeps the parts from being kept up."""
        for task in self.keeping:
            if task.done():
                task.result()
        await asyncio.sleep(STEP / 10)

    async def rest(self) -> None:
        """Nothing is started again from here on."""
        for part in self.parts.values():
            part.over = True
        await asyncio.gather(*self.keeping, return_exceptions=True)

    async def all_ready(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while not all(part.runs() and part.ready for part in self.parts.values()):
                await self.pause()

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """As the superuser sees them."""
        with psycopg.connect(self.superuser, row_factory=dict_row, connect_timeout=5) as connection:
            return connection.execute(statement.encode()).fetchall()

    def column(self, statement: str) -> list[Any]:
        return [next(iter(row.values())) for row in self.rows(statement)]


@asynccontextmanager
async def new_rig(given: argparse.Namespace) -> AsyncIterator[Rig]:
    """The parts, ready, on a new database with the starter library."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        logs = Path(given.logs or folder)
        await asyncio.to_thread(logs.mkdir, parents=True, exist_ok=True)
        database = PostgresPart(folder / "postgres", logs / "postgres.log")
        stack.callback(database.end)
        database.start()
        superuser = postgres.url(database.folder, "postgres", "postgres")
        with psycopg.connect(superuser, autocommit=True) as connection:
            connection.execute("create database bench owner primum")
        url = postgres.url(database.folder, database="bench")
        await asyncio.to_thread(upgrade, url)

        port = free_port(0)
        code = f"from bench.chaos import serve_model; serve_model({port}, {DELAY})"
        model_url = f"http://127.0.0.1:{port}"
        model = Part("model", logs / "model.log", (sys.executable, "-c", code), health=f"{model_url}/health")
        parts: dict[str, Part] = {"postgres": database, "model": model}
        wires: dict[str, Proxy] = {}
        apis: dict[str, httpx.AsyncClient] = {}
        watching = await stack.enter_async_context(httpx.AsyncClient(timeout=2))
        stack.callback(model.end)
        rig = Rig(parts, wires, apis, url, postgres.url(database.folder, "postgres", "bench"), folder)
        stack.push_async_callback(rig.rest)
        for part in parts.values():
            rig.keep(part, watching)
        await rig.all_ready()
        embedder = await asyncio.to_thread(EndpointEmbedder, "fake", f"{model_url}/v1", "none")
        writer = Database(url, owner=True)
        await ingest([STARTER], writer, embedder)
        await writer.close()

        reached = url
        if given.pgbouncer:
            wires["pgbouncer → postgres"] = await stack.enter_async_context(Proxy(address_of(url)))
            bouncer, reached = pooler(folder, logs, wires["pgbouncer → postgres"])
            parts["pgbouncer"] = bouncer
            stack.callback(bouncer.end)
            stack.push_async_callback(rig.rest)
            rig.keep(bouncer, watching)
        for kind in ("api", "worker"):
            for number in (1, 2):
                name = f"{kind} {number}"
                rig.doubled.add(name)
                port = free_port(0)
                to_database = await stack.enter_async_context(Proxy(address_of(reached)))
                to_model = await stack.enter_async_context(Proxy(("127.0.0.1", int(model_url.rpartition(":")[2]))))
                wires |= {f"{name} → database": to_database, f"{name} → model": to_model}
                settings = {
                    "home": str(folder / "home"),
                    "secret": SECRET,
                    "database_url": through(to_database, url),
                    "model_url": through(to_model, f"{model_url}/v1"),
                    "embedder": "fake",
                    "embedder_url": through(to_model, f"{model_url}/v1"),
                    "work": "false",
                    "turn_timeout": "30",
                    "log_level": "warning",
                }
                parts[name] = part = Part(
                    name,
                    logs / f"{kind}{number}.log",
                    (sys.executable, "-P", "-m", "primum", "serve", kind, "--port", str(port)),
                    {"OMP_NUM_THREADS": "1", **{f"PRIMUM_{key.upper()}": value for key, value in settings.items()}},
                    f"http://127.0.0.1:{port}/health/ready",
                )
                stack.callback(part.end)
                stack.push_async_callback(rig.rest)  # before any of them is ended
                rig.keep(part, watching)
                if kind == "api":
                    wires[f"client → {name}"] = client = await stack.enter_async_context(Proxy(("127.0.0.1", port)))
                    http = httpx.AsyncClient(
                        base_url=f"http://127.0.0.1:{client.port}", timeout=httpx.Timeout(20, connect=5)
                    )
                    apis[name] = await stack.enter_async_context(http)
        await rig.all_ready()
        yield rig


def pooler(folder: Path, logs: Path, upstream: Proxy) -> tuple[Part, str]:
    """PgBouncer in transaction mode, and its URL."""
    if PROGRAM is None:
        raise SystemExit("--pgbouncer needs the program pgbouncer.")
    port, own = free_port(0), folder / "pgbouncer"
    own.mkdir()
    argv = configured(own, port, upstream.port, "bench", SESSIONS)
    return Part("pgbouncer", logs / "pgbouncer.log", argv), f"postgresql://primum@127.0.0.1:{port}/bench"


# The faults


@dataclass
class Fault:
    """One that was shown: where, what, for how long, and how long after it all was well. Seconds."""

    at: list[str]
    what: str
    lasted: float
    recovery: float
    jobs: float = 0.0


class Storm:
    """Breaks things, one fault after the other."""

    def __init__(self, rig: Rig, seed: int, every: float) -> None:
        self.faults: list[Fault] = []
        self._rig = rig
        self._chance = random.Random(seed)
        self._every = every
        self._waiting: list[asyncio.Task[None]] = []
        self._told = Told()  # of the probes, whose errors are their way to see whether all is well

    async def rage(self, until: float) -> None:
        while perf_counter() < until:
            await asyncio.sleep(self._chance.uniform(SHORTEST, self._every))
            await self._one()
        await asyncio.gather(*self._waiting)

    async def _one(self) -> None:
        chance = self._chance
        lasts, many = chance.uniform(SHORTEST, LONGEST), 1 + (chance.random() < 0.25)
        if chance.random() < 0.4:
            at, what = chance.sample(sorted(self._rig.parts), many), "killed"
            for name in at:
                self._rig.parts[name].held = True
                await asyncio.to_thread(self._rig.parts[name].kill)
        else:
            at, kind = chance.sample(sorted(self._rig.wires), many), chance.choice(KINDS)
            what = kind
            for name in at:
                self._rig.wires[name].show(kind, SECONDS.get(kind, 0.0))
        await asyncio.sleep(lasts)
        for name in at:
            if what == "killed":
                self._rig.parts[name].held = False
            else:
                self._rig.wires[name].mend()
        # Of an API or a worker there is another one; of a server there is none, and its own start is not our recovery.
        alone = [self._rig.parts[name] for name in at if what == "killed" and name not in self._rig.doubled]
        while not all(part.ready for part in alone):
            await self._rig.pause()
        while not (ready := [http for name, http in self._rig.apis.items() if self._rig.parts[name].ready]):
            await self._rig.pause()
        began = perf_counter()
        patients = await asyncio.gather(*(self._probe(http) for http in ready))
        fault = Fault(at, what, lasts, perf_counter() - began)
        self.faults.append(fault)
        self._waiting.append(asyncio.create_task(self._remembered(fault, set(patients), began)))

    async def _remembered(self, fault: Fault, patients: set[str], began: float) -> None:
        """Notes when the medicines that they told of are in their charts."""
        known = "select patient from facts where fact ->> 'kind' = 'medicine'"
        while perf_counter() - began < PATIENCE:
            with contextlib.suppress(psycopg.Error):
                if patients <= set(await asyncio.to_thread(self._rig.column, known)):
                    break
            await asyncio.sleep(STEP)
        fault.jobs = perf_counter() - began

    async def _probe(self, http: httpx.AsyncClient) -> str:
        """A question by one API alone, asked again until the model answered it; whose it was."""
        began = perf_counter()
        while True:
            patient = f"probe-{uuid4().hex[:8]}"
            reader = Reader([http], self._told, self._chance)
            if await reader.turn(patient, telling(0), 0) == "answered" or perf_counter() - began > PATIENCE:
                return patient


# The end


async def settled(rig: Rig) -> None:
    """Until no turn is open and no job is left."""
    open_turns = "select 1 from turns where status not in ('done', 'failed') limit 1"
    jobs = "select 1 from jobs.procrastinate_jobs where task_name = 'remember' limit 1"
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(rig.column, open_turns) or await asyncio.to_thread(  # noqa: ASYNC110
            rig.column, jobs
        ):
            await asyncio.sleep(1)


async def checks(rig: Rig, told: Told) -> dict[str, int]:
    """What must all be 0."""
    turns = {
        row["run_id"]: row for row in rig.rows("select run_id::text, patient, question, status, answer from turns")
    }
    done = {run: row for run, row in turns.items() if row["status"] == "done"}
    answers = rig.column("select run_id::text from audit_events where action = 'answer'")
    said = {
        (row["patient"], thing.lower())
        for row in turns.values()
        for thing in re.findall("|".join((*ALLERGENS, *MEDICINES)), row["question"])
    }
    facts = Counter(
        (row["patient"], str(row["thing"]).lower())
        for row in rig.rows("select patient, coalesce(fact ->> 'written', fact ->> 'value') as thing from facts")
    )
    steps = Counter((row["run_id"], row["step"]) for row in rig.rows("select run_id, step from effects"))
    chunks = {row["id"]: row["text"] for row in rig.rows("select id, text from chunks")}
    cited = [one for row in done.values() for one in row["answer"]["citations"]]
    database = Database(rig.url, pool=1)
    trail = await Audit(database, find_secret([SECRET], rig.folder)).verify("main")
    await database.close()
    return {
        "acknowledged_turns_lost": len(told.acknowledged - done.keys()),
        "answers_that_changed": sum(
            done[run]["answer"]["text"] != text for run, text in told.answers.items() if run in done
        ),
        "turns_given_up": told.given_up,
        "turns_failed": len(turns) - len(done),
        "answers_doubled": len(answers) - len({*answers}),
        "answers_without_a_record": len(done.keys() - {*answers}),
        "facts_doubled": sum(count - 1 for count in facts.values()),
        "facts_missing": len(said - facts.keys()),
        "facts_nobody_told": len(facts.keys() - said),
        "effects_doubled": sum(count - 1 for count in steps.values()),
        "jobs_left": len(rig.column("select id from jobs.procrastinate_jobs where task_name = 'remember'")),
        "answers_without_a_source": sum(
            not row["answer"]["citations"]
            for row in done.values()
            if row["answer"]["status"] in ("answered", "evidence_only")
        ),
        "citations_that_do_not_resolve": sum(
            any(part not in chunks.get(one["chunk_id"], "") for part in one["quote"].split(" … ")) for one in cited
        ),
        "audit_trail_broken": int(not trail.holds),
        "deaths_of_their_own": sum(part.deaths for part in rig.parts.values()),
        "errors_not_documented": sum(told.errors[name] for name in told.errors.keys() - DOCUMENTED - {BROKEN}),
    }


@dataclass(frozen=True)
class Limit:
    """What was measured, None if it was not to be, and what it may be at most."""

    found: float | None
    most: float

    @property
    def holds(self) -> bool:
        return self.found is None or self.found <= self.most


def limits_of(
    recoveries: Sequence[float], holds: Mapping[str, Mapping[str, int]], sessions: int, *, pooled: bool
) -> dict[str, Limit]:
    """Recovery, memory, files and connections against what they may be.

    Memory may grow by a twentieth over the second half of a life: caches fill and the allocator keeps what it got once.
    A slower leak than that is for `bench.load --minutes 10`, whose process is never killed. A process may have open
    what it has at rest, its pools, and for each session its stream and a call of the model. At the end Postgres may
    have as many clients as the pools of the four processes may hold, or as the pooler before it.
    """
    pool = Settings.model_fields["database_pool"].default
    pools = {"api": 2 * pool + WRITER, "worker": 2 * pool + WRITER + JOBS}
    lives = {name: life for name, life in holds.items() if name.endswith(", MB") and life["seconds"] >= LIFE}
    grown = max((life["last"] / life["half"] for life in lives.values()), default=None)
    files = max((life["most"] for name, life in holds.items() if name.endswith(", open files")), default=None)
    late = spread(recoveries)
    return {
        "recovery_p95_s": Limit(late["p95"] if len(recoveries) >= MANY else None, RECOVERY),
        "recovery_longest_s": Limit(late.get("most"), LAST),
        "memory_grown": Limit(grown and round(grown, 3), GROWTH),
        "open_files": Limit(files, AT_REST + max(pools.values()) + 2 * sessions),
        "connections_at_the_end": Limit(holds["connections"]["last"], SESSIONS if pooled else 2 * sum(pools.values())),
    }


class Gauge:
    """Memory and open files of each process, in the longest of its lives, and connections as they go on."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._seen: dict[tuple[str, int], list[float]] = {}

    async def watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(SAMPLE)

    async def look(self) -> None:
        for name, part in self._rig.parts.items():
            if name in self._rig.doubled and part.ready:
                with contextlib.suppress(OSError, ValueError):
                    self._seen.setdefault((f"{name}, MB", part.pid), []).append(part.megabytes())
                    self._seen.setdefault((f"{name}, open files", part.pid), []).append(part.files())
        with contextlib.suppress(psycopg.Error):
            clients = "select count(*) from pg_stat_activity where datname = 'bench' and usename = 'primum'"
            (count,) = await asyncio.to_thread(self._rig.column, clients)
            self._seen.setdefault(("connections", 0), []).append(count)

    def told(self) -> dict[str, dict[str, int]]:
        lives: dict[str, list[float]] = {}
        for (name, _), seen in self._seen.items():
            lives[name] = max(lives.get(name, []), seen, key=len)
        return {
            name: {
                "seconds": round(len(seen) * SAMPLE),
                "first": round(seen[0]),
                "half": round(seen[len(seen) // 2]),
                "last": round(seen[-1]),
                "most": round(max(seen)),
            }
            for name, seen in lives.items()
        }


def spread(times: Sequence[float]) -> dict[str, float]:
    ordered = sorted(times)
    if not ordered:
        return {}
    late = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return {"p50": round(median(ordered), 2), "p95": round(late, 2), "most": round(ordered[-1], 2)}


def by_kind(faults: Sequence[Fault]) -> Iterator[tuple[str, dict[str, Any]]]:
    for what in sorted({fault.what for fault in faults}):
        found = [fault for fault in faults if fault.what == what]
        yield what, {"times": len(found), "longest_recovery_s": round(max(fault.recovery for fault in found), 2)}


def is_ok(found: Mapping[str, int], limits: Mapping[str, Limit]) -> bool:
    """The verdict: nothing that must be 0 is more, and each limit holds."""
    return not any(found.values()) and all(limit.holds for limit in limits.values())


async def measure(given: argparse.Namespace) -> dict[str, Any]:
    async with new_rig(given) as rig:
        told, storm, gauge = Told(), Storm(rig, given.seed, given.every), Gauge(rig)
        chances = random.Random(given.seed)
        readers = [Reader([*rig.apis.values()], told, random.Random(chances.random())) for _ in range(given.sessions)]
        began = perf_counter()
        watching = asyncio.create_task(gauge.watch())
        until = began + given.seconds
        await asyncio.gather(
            storm.rage(until), *(reader.session(number, given.pace, until) for number, reader in enumerate(readers))
        )
        took = perf_counter() - began
        await rig.all_ready()
        await settled(rig)
        await gauge.look()
        watching.cancel()
        found = await checks(rig, told)
        recoveries, holds = [fault.recovery for fault in storm.faults], gauge.told()
        limits = limits_of(recoveries, holds, given.sessions, pooled=given.pgbouncer)
        longest = sorted(storm.faults, key=lambda fault: -fault.recovery)[:5]
        return {
            "ok": is_ok(found, limits),
            "seconds": round(took),
            "sessions": given.sessions,
            "pgbouncer": bool(given.pgbouncer),
            "turns_answered": len(told.answers),
            "by_status": dict(told.statuses),
            "streams_resumed": told.resumed,
            "turn_s": spread(told.turns),
            "errors": dict(told.errors),
            "faults": len(storm.faults),
            "by_fault": dict(by_kind(storm.faults)),
            "recovery_s": spread(recoveries),
            "jobs_s": spread([fault.jobs for fault in storm.faults]),
            "start_s": spread([took for part in rig.parts.values() for took in part.starts[1:]]),
            "starts_that_failed": sum(part.stillborn for part in rig.parts.values()),
            "longest": [
                f"{fault.recovery:.1f} s: {', '.join(fault.at)} {fault.what} for {fault.lasted:.1f} s"
                for fault in longest
            ],
            "checks": found,
            "limits": {name: asdict(limit) for name, limit in limits.items()},
            "holds": holds,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--pace", type=float, default=30, help="seconds between the questions of a session")
    parser.add_argument("--every", type=float, default=4, help="seconds between two faults at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pgbouncer", action="store_true", help="PgBouncer in transaction mode before Postgres")
    parser.add_argument("--logs", help="folder that keeps the parts' logs")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that all parts are ended
    sys.exit(not report(measure(parser.parse_args()))["ok"])


if __name__ == "__main__":
    main()
