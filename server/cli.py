"""The command line. What is heavy is imported inside the commands, so that `--help` is there at once."""

import importlib.util
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from primum import __version__
from primum.graph.errors import BadInput, LocalServerFailed, PrimumError
from primum.server import (
    adapters_cli,
    backup_cli,
    cases_cli,
    charts_cli,
    eval_cli,
    finetune_cli,
    keys_cli,
    library_cli,
    secret_cli,
    terms_cli,
)
from primum.server.terminal import AsJson, print_json, run, say

if TYPE_CHECKING:
    from primum.safety.profile import Profile

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serving = typer.Typer(help="Run one server in the foreground.", no_args_is_help=True)
tables = typer.Typer(help="The database's tables.", no_args_is_help=True)
imports = typer.Typer(help="Interaction tables of other publishers, beside Primum's own.", no_args_is_help=True)
app.add_typer(serving, name="serve")
app.add_typer(tables, name="db")
app.add_typer(imports, name="interactions")
app.add_typer(charts_cli.facts, name="facts")
app.add_typer(charts_cli.audit, name="audit")
app.add_typer(keys_cli.keys, name="keys")
app.add_typer(secret_cli.secret, name="secret")
app.command(epilog="Example: primum consent give --patient anna")(charts_cli.consent)
app.command(epilog="Example: primum erase anna --yes")(charts_cli.erase)
app.command(epilog="Example: primum ingest guidelines/ leaflet.pdf topics.jsonl.gz")(library_cli.ingest)
app.command(epilog='Example: primum search "ibuprofen pregnancy" -k 5')(library_cli.search)
app.command(epilog="Example: PRIMUM_EMBEDDER=BAAI/bge-m3 primum reembed")(library_cli.reembed)
app.command("index", epilog="Example: primum index binary")(library_cli.vector_index)
app.add_typer(backup_cli.backup, name="backup")
app.add_typer(cases_cli.case, name="case")
app.add_typer(finetune_cli.finetune, name="finetune")
app.add_typer(adapters_cli.adapters, name="adapters")
app.add_typer(library_cli.documents, name="documents")
app.add_typer(terms_cli.terms, name="terms")
app.command("eval", epilog="Example: primum eval triage --data cases.jsonl --out report.json")(eval_cli.evaluate)


def main() -> None:
    """`primum`, `python -m primum`: exits 0, 1 (it failed) or 2 (wrong use)."""
    try:
        app(prog_name="primum")
    except PrimumError as error:
        typer.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"Primum {__version__}")
        raise typer.Exit


@app.callback()
def common(
    _asked: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which.")] = False,
) -> None:
    """A self-hosted medical agent that checks itself before it answers."""


@app.command(epilog="Example: primum up")
def up() -> None:
    """Run everything on this machine: database, model, API and page, until Ctrl-C."""
    from primum.graph.rules import rules_in_use
    from primum.graph.settings import read_settings
    from primum.server.up import up

    settings = read_settings()
    with rules_in_use(settings):  # a damaged table would stop the API again and again
        pass
    run(up(settings))


@app.command(epilog="Example: primum doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Look at every part of this installation, and say what to mend; exits 1 if something is broken."""
    from dataclasses import asdict

    from primum.graph.settings import read_settings
    from primum.server.doctor import examine

    findings = run(examine(read_settings()))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        from primum.server.console import show_findings

        show_findings(findings)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


@app.command(epilog='Example: primum ask "What are the symptoms of type 2 diabetes?"')
def ask(
    question: Annotated[str, typer.Argument(help="The question, up to 8,000 characters.")],
    as_json: AsJson = False,
    patient: Annotated[str, typer.Option(help="Whose conversation it is.")] = "me",
    thread: Annotated[str | None, typer.Option(help="Conversation to go on with; none starts a new one.")] = None,
    audience: Annotated[Literal["patient", "clinician"], typer.Option(help="How to speak.")] = "patient",
    max_words: Annotated[int | None, typer.Option(min=20, max=2000, help="Length of the answer.")] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="JSON file: age, allergies, medicines …", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Ask, and get a cited, audited answer."""
    from primum.graph.request import check_name, check_text

    question = check_text(question)
    check_name(patient, "patient")
    if thread is not None:
        check_name(thread, "thread")
    known = _profile(profile)

    async def work() -> Any:
        from primum import open_agent

        # What is remembered after the reply is left to a running API: nobody waits here for it.
        async with open_agent(work=False) as agent:
            return await agent.ask(
                question, patient=patient, thread=thread, audience=audience, max_words=max_words, profile=known
            )

    answer = run(work())
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        from primum.server.console import show_answer

        show_answer(answer)


@app.command(epilog='Example: primum check "I take warfarin and want to take ibuprofen 800 mg four times a day"')
def check(
    text: Annotated[str, typer.Argument(help="A question, an order, a note or an answer.")],
    as_json: AsJson = False,
    profile: Annotated[
        Path | None,
        typer.Option(help="JSON file: age, allergies, medicines …", exists=True, dir_okay=False),
    ] = None,
) -> None:
    """Tell what the safety rules find in a text: warning signs, interactions, allergies, doses. Asks no model."""
    from primum.graph.request import check_text
    from primum.graph.rules import rules_in_use
    from primum.graph.settings import read_settings
    from primum.safety.validator import examine
    from primum.server.console import show_report

    text, known = check_text(text, "text"), _profile(profile)
    with rules_in_use(read_settings()):
        report = examine(text, known)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        show_report(report)


def _profile(path: Path | None) -> "Profile":
    from pydantic import ValidationError

    from primum.safety.profile import Profile

    if path is None:
        return Profile()
    try:
        return Profile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'JSON'}: {e['msg']}" for e in error.errors()[:5])
        raise BadInput(f"{path} is no profile: {faults}") from None


@serving.command("api", epilog="Example: primum serve api --host 0.0.0.0 --port 8400")
def serve_api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: PRIMUM_API_HOST]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: PRIMUM_API_PORT]")] = None,
) -> None:
    """The HTTP API."""
    from primum.graph.settings import read_settings
    from primum.server.api import create_app
    from primum.server.listener import is_loopback, listen

    settings = read_settings()
    address = host or settings.api_host
    if settings.auth is None and not is_loopback(address):
        raise BadInput(
            f"On {address} others than this machine reach the API, and it would answer all of them. Set "
            "PRIMUM_AUTH=required and make keys with `primum keys create`; or PRIMUM_AUTH=open, if something before it "
            "lets in only those who may."
        )
    app = create_app(settings)
    level = settings.log_level
    run(listen(app, address, port or settings.api_port, level), level)


@serving.command("worker", epilog="Example: PRIMUM_WORK=false primum serve api & primum serve worker")
def serve_worker(
    host: Annotated[str, typer.Option(help="Address of its health and metrics, which tell of nobody.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: PRIMUM_WORKER_PORT]")] = None,
) -> None:
    """What comes after the reply: facts, summaries, what is too old, watched folders. Any number of them may run."""
    from primum.graph.settings import read_settings
    from primum.server.listener import listen
    from primum.server.worker import create_worker

    settings = read_settings()
    level = settings.log_level
    run(listen(create_worker(settings), host, port or settings.worker_port, level), level)


@serving.command("page", epilog="Example: primum serve page --host 0.0.0.0 --api http://api:8400")
def serve_page(
    api: Annotated[str, typer.Option(help="Address of the HTTP API, whose keys visitors show.")] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: PRIMUM_PAGE_PORT]")] = None,
) -> None:
    """The page alone, of an API that runs elsewhere."""
    from primum.graph.settings import read_settings
    from primum.server.up import PAGE, page_command

    settings = read_settings()
    api = api or f"http://127.0.0.1:{settings.api_port}"
    if not re.fullmatch(r"https?://[^\s/]+/?", api):
        raise BadInput(f"--api {api}: an address like http://api:8400 is meant.")
    if importlib.util.find_spec("streamlit") is None:
        raise LocalServerFailed("The page needs `pip install 'primum[ui]'`.")
    os.chdir(PAGE.parent)  # so that the .streamlit beside it is read, and none of the current folder
    argv = page_command(settings, api.rstrip("/"), host, port or settings.page_port)
    os.execv(argv[0], argv)  # noqa: S606 (no shell is meant)


@serving.command("mcp", epilog="Example: primum serve mcp --patient anna")
def serve_mcp(
    patient: Annotated[str, typer.Option(help="Whose conversations and chart; no caller can name another.")] = "me",
    audience: Annotated[Literal["patient", "clinician"], typer.Option(help="How to speak.")] = "patient",
) -> None:
    """MCP over standard input and output, for one patient. Over HTTP it is /mcp of `primum serve api`."""
    from primum.graph.request import check_name
    from primum.graph.settings import read_settings
    from primum.server.mcp import serve_stdio

    settings = read_settings()
    run(serve_stdio(settings, check_name(patient, "patient"), audience), settings.log_level)


@serving.command("model", epilog="Example: primum serve model --engine vllm --model Qwen/Qwen3-32B --dry-run")
def serve_model(
    engine: Annotated[
        Literal["vllm", "llamacpp"] | None, typer.Option(help="[default: vllm with an NVIDIA GPU, else llamacpp]")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Folder, GGUF file or hub name.  [llamacpp: the packaged]")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: PRIMUM_MODEL_PORT]")] = None,
    adapter: Annotated[list[str] | None, typer.Option(help="NAME=FOLDER of a LoRA adapter; may be repeated.")] = None,
    hot_load: Annotated[
        bool, typer.Option("--hot-load", help="vLLM: let `primum adapters load` bring more while it runs.")
    ] = False,
    max_rank: Annotated[
        int | None, typer.Option(min=1, max=512, help="vLLM: of adapters.  [default: the largest, 64 with --hot-load]")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="vLLM: a file of its arguments, or one of Primum's own: deploy/vllm.")
    ] = None,
    vllm: Annotated[Path | None, typer.Option(help="The vllm program.  [default: the one on the PATH]")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the command and end.")] = False,
) -> None:
    """The model server that fits this machine, with the flags that fit it."""
    from primum.graph.settings import read_settings
    from primum.server import engines, llamacpp
    from primum.server.listener import is_loopback

    settings = read_settings()
    port = port or settings.model_port
    hardware = engines.find_hardware()
    chosen = engine or ("vllm" if profile else hardware.engine)
    if chosen == "vllm":
        if model is None and profile is None:
            raise BadInput("vLLM has no model of its own: give --model FOLDER or --model HUB/NAME, or a --profile.")
        program = str(vllm or "vllm") if dry_run else engines.find_vllm(vllm)
        key = settings.model_key.get_secret_value()
        if hot_load and key == "none" and not is_loopback(host):
            raise BadInput(f"With --hot-load on {host} anybody could load an adapter: set PRIMUM_MODEL_KEY.")
        lora = engines.Lora(engines.parse_adapters(adapter or []), hot_load, max_rank)
        engines.lint_adapters(lora.adapters, model, max_rank)
        name = settings.model_name
        if profile:
            file = engines.find_profile(profile)
            command = engines.profile_command(program, hardware, file, model, name, host, port, lora)
        else:
            command = engines.vllm_command(program, hardware, str(model), name, host, port, lora)
        if not dry_run:
            engines.become(command, key)
    else:
        if profile:
            raise BadInput("--profile is for --engine vllm.")
        if adapter or hot_load or max_rank:
            raise BadInput(
                "llama.cpp serves one model under one name. Merge the adapter (`primum finetune merge`, then `export "
                "--gguf`) and serve that file with --model; or use --engine vllm."
            )
        if vllm:
            raise BadInput("--vllm is for --engine vllm.")
        if settings.model_key.get_secret_value() != "none" and not is_loopback(host):
            raise BadInput(f"PRIMUM_MODEL_KEY is set, and llama.cpp on {host} would ask nobody for it: use vLLM there.")
        file = llamacpp.model_file(model)
        command = engines.Command(["primum", "serve", "model", "--engine", "llamacpp", "--model", str(file)])
        command.argv.extend(["--host", host, "--port", str(port)])
        if not dry_run:
            llamacpp.serve(file, settings.model_name, host, port)
    if dry_run:
        typer.echo(str(command))


@tables.command(epilog="Example: PRIMUM_DATABASE_URL=postgresql://primum@db/primum primum db upgrade")
def upgrade() -> None:
    """Bring the tables to this version's: those of PRIMUM_DATABASE_URL, else of the embedded database."""

    async def work() -> None:
        from primum.graph.settings import read_settings
        from primum.server.local import DATABASE, embedded

        async with embedded(read_settings(), say, need=DATABASE):
            typer.echo("The tables are up to date.")

    run(work())


@imports.command("import", epilog="Example: primum interactions import ddinter ddinter_downloads_code_A.csv")
def import_interactions(
    form: Annotated[
        Literal["ddinter", "ansm", "onc", "openfda"], typer.Argument(metavar="FORMAT", help="Whose files they are.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(help="DDInter: .csv. ANSM: .jsonl[.gz], classes too. ONC: .csv. openFDA: label .xml."),
    ],
    as_json: AsJson = False,
) -> None:
    """Import tables, checked row by row, so that every check asks them too. The more severe counts.

    One file becomes one table, in the place of an earlier one of that name; ANSM's files make one together.
    """
    from primum.graph.settings import read_settings
    from primum.safety.importers import read_published, write_rows

    folder = read_settings().interaction_tables
    for file in files:
        say(f"Reading {file}")
    try:
        found = read_published(form, files)
        if not any(found.values()):
            raise ValueError("No interaction is in what was given.")
    except ValueError as error:
        raise BadInput(f"Nothing was imported. {error}") from None
    for name in [name for name, rows in found.items() if not rows]:
        say(f"No interaction for {name}: left out")
        del found[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, rows in found.items():
            write_rows(rows, folder / name)
    except OSError as error:
        raise PrimumError(f"{folder} can't be written to: {error.strerror}.") from None
    _show_tables(folder, list(found), as_json)
    say("What runs asks them after a restart.")


@imports.command("list", epilog="Example: primum interactions list --json")
def list_interactions(as_json: AsJson = False) -> None:
    """Show the imported tables with their licences. To take one out, delete its file."""
    from primum.graph.settings import read_settings

    folder = read_settings().interaction_tables
    _show_tables(folder, sorted(path.name for path in folder.glob("*.csv")), as_json)


def _show_tables(folder: Path, names: list[str], as_json: bool) -> None:
    """Each of these tables: its rows by severity, its licence, and the names in it that Primum's lists don't know."""
    from primum.safety.importers import described

    try:
        shown = [{"file": str(folder / name), **described(folder / name)} for name in names]
    except ValueError as error:
        raise BadInput(f"A table is damaged: {error}. Import it again, or delete the file.") from None
    if as_json:
        print_json(shown)
        return
    if not shown:
        typer.echo(f"No imported tables in {folder}.")
    for table in shown:
        counts = ", ".join(f"{number:,} {severity}" for severity, number in table["severities"].items())
        typer.echo(
            f"{table['file']}\n    {table['rows']:,} rows: {counts}\n    Licence: {'; '.join(table['licences'])}"
        )
        if unknown := table["unknown_names"]:
            few = ", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else "")
            say(f"    {len(unknown)} names that no list of ours has; a text is not searched for them: {few}")
