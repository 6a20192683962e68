"""`primum finetune`: from data to an adapter. What is heavy is imported inside the commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from primum.graph.errors import BadInput
from primum.server.terminal import print_json, quiet_libraries, run, say

if TYPE_CHECKING:
    from primum.finetune.recipe import Method, Recipe

finetune = typer.Typer(help="From data to an adapter that the graph uses.", no_args_is_help=True)

RecipeName = Annotated[str, typer.Argument(help="A recipe: a YAML file, or one of Primum's own by its name.")]
Out = Annotated[Path, typer.Option(help="The run's folder.", file_okay=False)]
Data = Annotated[Path | None, typer.Option(help="What to train on, instead of the recipe's `data`.")]
Model = Annotated[str | None, typer.Option(help="A folder, a hub's name or `packaged`, instead of the recipe's.")]
StartFrom = Annotated[Path | None, typer.Option(help="An earlier run, whose adapter is trained on.", file_okay=False)]
Changes = Annotated[
    list[str] | None, typer.Option("--set", help="A key of the recipe: training.learning_rate=1e-4. May be repeated.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]


@finetune.command(epilog="Example: primum finetune prepare library --out rows --eval mcq.jsonl --seed 7")
def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Files, hub names, folders of documents, or `library`: the starter."),
    ],
    out: Annotated[Path, typer.Option(help="The folder that is made.", file_okay=False)],
    format_name: Annotated[str, typer.Option("--format", help="Of all sources.  [default: told by their fields]")] = "",
    evaluations: Annotated[
        list[str] | None,
        typer.Option("--eval", help="Questions that no row may share, besides Primum's own held-out ones."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the split and the order.")] = 0,
    split: Annotated[tuple[float, float, float], typer.Option(help="Shares of train, validation and test.")] = (
        0.9,
        0.05,
        0.05,
    ),
    augment: Annotated[int, typer.Option(min=0, max=10, help="Variations of each training row, at most.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of a whole row.")] = 4096,
    min_words: Annotated[int, typer.Option(min=1, help="Of an answer in free text.")] = 1,
    language: Annotated[list[str] | None, typer.Option(help="Only these, such as en; may be repeated.")] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="A model's folder, to count tokens by.  [default: estimated]", exists=True)
    ] = None,
    reasoning: Annotated[bool, typer.Option("--reasoning/--no-reasoning", help="Keep <think> parts.")] = True,
    licence: Annotated[
        str, typer.Option(help="Of rows that name none themselves; else what their format claims.")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Records that are read of each source.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that clean.")] = 1,
) -> None:
    """Make rows to train on: cleaned, nothing of an evaluation set in them, split, with a card; prints the card."""
    from primum.finetune import prepare as preparation
    from primum.finetune.cleaning import Rules
    from primum.retrieval.ingest import Progress
    from primum.server.console import progress_bar

    if not evaluations:
        say("Compared with Primum's own held-out cases alone: name the sets that you will evaluate on by --eval.")
    rules = Rules(max_tokens, min_words, frozenset(language or ()), reasoning, str(tokenizer or ""))
    plan = preparation.Plan(format_name, tuple(evaluations or ()), seed, split, augment, rules, licence, limit)
    with progress_bar("Reading") as show:
        card = preparation.prepare(
            sources, out, plan, workers=workers, advance=lambda read, name: show(Progress(read, read, name))
        )
    print_json(card)


def _add_training(name: str, methods: tuple["Method", ...], told: str, given: str) -> None:
    @finetune.command(name, help=told, epilog=f"Example: primum finetune {name} {given} --out runs/{name}")
    def command(
        recipe: RecipeName,
        out: Out,
        data: Data = None,
        model: Model = None,
        start_from: StartFrom = None,
        changes: Changes = None,
        resume: Resume = False,
    ) -> None:
        if not _beside():
            say("Loading the libraries")
        quiet_libraries()
        from primum.finetune.training import train

        done = train(_recipe(recipe, data, model, start_from, changes, methods), out, resume=resume)
        if not _beside():
            print_json(done)


_add_training("sft", ("sft",), "Learn the answers of a prepared folder.", "smoke-sft --data prepared/")
_add_training(
    "dpo",
    ("dpo", "orpo", "kto"),
    "Learn from pairs of a better and a worse answer, by DPO or ORPO; by KTO from single opinions.",
    "smoke-dpo --data pairs/pairs.jsonl --start-from runs/sft",
)
_add_training(
    "grpo",
    ("grpo",),
    "Learn from tries that rules reward: right choice, right number, form, support, safety, length.",
    "smoke-grpo --data prepared/ --start-from runs/sft",
)
_add_training(
    "seq2seq",
    ("seq2seq",),
    "Train an encoder–decoder model, such as T5, on a prepared folder.",
    "flan-t5 --data prepared/",
)


@finetune.command(epilog="Example: primum finetune search smoke-search --data prepared/ --out runs/search")
def search(
    recipe: RecipeName,
    out: Out,
    data: Data = None,
    model: Model = None,
    changes: Changes = None,
    resume: Resume = False,
) -> None:
    """Find the learning rate, rank and epochs that leave the lowest loss on the validation rows."""
    from primum.graph.settings import launched

    if launched()[1] > 1:
        raise BadInput("A search is of one process: start it without a launcher.")
    quiet_libraries()
    chosen = _recipe(recipe, data, model, None, changes, ("sft", "dpo", "orpo", "kto", "seq2seq"))
    from primum.finetune.search import search

    print_json(search(chosen, out, resume=resume))


@finetune.command(epilog="Example: primum finetune lint runs/sft --base models/Qwen3-0.6B")
def lint(
    folder: Annotated[Path, typer.Argument(help="Of an adapter.", exists=True, file_okay=False)],
    base: Annotated[Path | None, typer.Option(help="Folder of its base model.  [default: the one it names]")] = None,
    max_rank: Annotated[int, typer.Option(min=1, help="What the server takes: its --max-rank.")] = 512,
) -> None:
    """Tell what keeps an adapter from being served by vLLM as it was trained; exits 1 if something does."""
    from primum.finetune.adapter import lint

    report = lint(folder, base, max_rank)
    print_json(report.told())
    for fault in report.faults:
        say(f"{fault.rule}: {fault.text} {fault.remedy}")
    if report.faults:
        raise typer.Exit(1)


@finetune.command(epilog="Example: primum finetune merge runs/dpo --out models/med")
def merge(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Option(help="New folder for the whole model.")],
    base: Annotated[
        Path | None, typer.Option(help="Folder of the unquantised base model.  [default: the one the adapter names]")
    ] = None,
) -> None:
    """Fold an adapter into its base model, in bf16, and prove that the two say the same."""
    quiet_libraries()
    from primum.finetune.merge import merge

    say("Merging, then reading what was written")
    print_json(merge(run, out, base))


@finetune.command(epilog="Example: primum finetune export models/med --gguf med.gguf --quantize q8_0")
def export(
    model: Annotated[Path, typer.Argument(help="Folder of a whole model; for --hub also of an adapter.", exists=True)],
    gguf: Annotated[Path | None, typer.Option(help="File for llama.cpp.", dir_okay=False)] = None,
    ollama: Annotated[Path | None, typer.Option(help="Folder for `ollama create`: GGUF and Modelfile.")] = None,
    hub: Annotated[str | None, typer.Option(help="OWNER/NAME on a hub, private; takes PRIMUM_HUB_TOKEN.")] = None,
    quantize: Annotated[Literal["f16", "bf16", "q8_0"], typer.Option(help="How weights are kept in a GGUF.")] = "q8_0",
) -> None:
    """Write a model for llama.cpp or Ollama, or push it to a hub; its hash and cards go along."""
    quiet_libraries()
    from primum.finetune.export import export_gguf
    from primum.finetune.hub import push
    from primum.finetune.ollama import export_ollama
    from primum.graph.settings import read_settings

    if not (gguf or ollama or hub):
        raise BadInput("Where to? Give --gguf FILE, --ollama DIR or --hub OWNER/NAME.")
    told: dict[str, object] = {}
    if gguf:
        say(f"Writing {gguf}")
        told["gguf"] = export_gguf(model, gguf, quantize)
    if ollama:
        say(f"Writing {ollama}")
        told["ollama"] = export_ollama(model, ollama, quantize)
    if hub:
        settings = read_settings()
        say(f"Pushing to {hub}")
        token = settings.hub_token.get_secret_value() if settings.hub_token else None
        told["hub"] = push(model, hub, token, settings.hub_url)
    print_json(told)


@finetune.command(
    "pairs",
    epilog="Example: primum finetune pairs --out pairs/; primum finetune pairs --sample data/ --folder sft/ --out own/",
)
def pairs(
    out: Annotated[Path, typer.Option(help="A new folder for pairs.jsonl, opinions.jsonl and card.json.")],
    sample: Annotated[
        Path | None, typer.Option(help="A prepared folder: instead, a model's own answers to it.", exists=True)
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Of which tenant.  [default: PRIMUM_TENANT]")] = None,
    url: Annotated[str | None, typer.Option(help="Sampling: the endpoint.  [default: PRIMUM_MODEL_URL]")] = None,
    model: Annotated[str | None, typer.Option(help="Sampling: the model's name.  [default: PRIMUM_MODEL_NAME]")] = None,
    folder: Annotated[Path | None, typer.Option(help="Sampling: a model's folder, loaded here.", exists=True)] = None,
    base: Annotated[Path | None, typer.Option(help="Sampling: the adapter's base.", exists=True)] = None,
    answers: Annotated[int, typer.Option(min=2, max=64, help="Sampling: answers to each prompt.")] = 4,
    temperature: Annotated[float, typer.Option(min=0.05, max=2, help="Sampling.")] = 0.9,
    limit: Annotated[int | None, typer.Option(min=1, help="Sampling: so many prompts, drawn by --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Sampling.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Sampling: of an answer.")] = 256,
) -> None:
    """Better and worse answers for DPO: from this installation's audits, edits and thumbs, or of a model's answers."""
    from primum.graph.settings import read_settings
    from primum.server.charts_cli import ACTOR, opened_memory
    from primum.server.model_eval_cli import Asked, progress, writer_of

    settings = read_settings()

    async def from_audits() -> dict[str, Any]:
        from primum.finetune.pairs import export

        async with opened_memory(tenant) as memory:
            uncharted = settings.learn_without_chart
            return await export(memory.audit, memory.tenant, out, actor=ACTOR, without_chart=uncharted)

    async def from_samples(prepared: Path) -> dict[str, Any]:
        from primum.finetune.sampling import Draw, sample_pairs

        asked = Asked(url=url, model=model, folder=folder, base=base)
        draw = Draw(answers=answers, temperature=temperature, seed=seed, max_tokens=max_tokens, limit=limit)
        async with writer_of(asked, settings) as (writer, _):
            return await sample_pairs(prepared, writer, out, draw, progress("Answered"))

    print_json(run(from_audits() if sample is None else from_samples(sample)))


@finetune.command(
    "evaluate",
    epilog="Example: primum finetune evaluate base.json sft.json dpo.json --run sft/ --run dpo/ --out report.html",
)
def evaluate(
    reports: Annotated[
        list[Path],
        typer.Argument(help="Reports of `primum eval`, or models' folders: before first.", exists=True),
    ],
    out: Annotated[Path, typer.Option(help="The report: one HTML page that needs nothing else.", dir_okay=False)],
    data: Annotated[
        Path | None, typer.Option(help="The prepared folder; its test split is what folders are asked.", exists=True)
    ] = None,
    runs: Annotated[
        list[Path] | None, typer.Option("--run", help="Folders of training runs, for their curves.", exists=True)
    ] = None,
    base: Annotated[Path | None, typer.Option(help="The base of adapters among the folders.", exists=True)] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Of the test split, so many rows.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 256,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Above 0 answers are drawn, as GRPO draws them.")
    ] = 0.0,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Before and after training",
) -> None:
    """Whether training helped: one page with figures, intervals, plots, failures and the card of the data."""
    from primum.finetune.evaluation import Asking, evaluated
    from primum.server.model_eval_cli import progress

    quiet_libraries()
    asking = Asking(base=base, limit=limit, seed=seed, max_tokens=max_tokens, temperature=temperature)
    print_json(run(evaluated(reports, out, data, runs or [], asking, title, progress)))


def _beside() -> bool:
    """Whether this is one of a launcher's processes (accelerate, torchrun), and not the first, which speaks for all."""
    from primum.graph.settings import launched

    return launched()[0] > 0


def _recipe(
    name: str,
    data: Path | None,
    model: str | None,
    start_from: Path | None,
    changes: list[str] | None,
    methods: "tuple[Method, ...]",
) -> "Recipe":
    """The recipe with what was given instead of its own; raises BadInput if it is for another command."""
    from primum.finetune.policy import adapter_of
    from primum.finetune.recipe import read

    recipe = read(name, changes or (), methods)
    given = {"data": data, "model": model, "start_from": start_from}
    kept: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    if start_from and adapter_of(start_from):  # which is trained on; of a whole model a new one is
        kept["adapter"] = None
    return recipe.model_copy(update=kept)
