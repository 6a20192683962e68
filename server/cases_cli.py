"""`primum case`: a clinician's case worked up, and cases made for teaching and testing."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from primum.graph.errors import BadInput
from primum.server.terminal import AsJson, print_json, run, say

WORK_UP = "work-up"


class CaseGroup(TyperGroup):
    """`primum case "58-year-old man …"`: what is no command is a case."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [WORK_UP, *args]
        return super().parse_args(ctx, args)


case = typer.Typer(
    cls=CaseGroup,
    help='A clinician\'s case: `primum case "58-year-old man, crushing chest pain …"` works it up.',
    no_args_is_help=True,
)


@case.command(WORK_UP, epilog='Example: primum case "58-year-old man, crushing chest pain for 40 minutes, BP 92/60"')
def work_up(
    text: Annotated[str, typer.Argument(help="The case, up to 8,000 characters.")],
    as_json: AsJson = False,
    patient: Annotated[str, typer.Option(help="Whose chart counts.")] = "me",
    thread: Annotated[str | None, typer.Option(help="Conversation to go on with; none starts a new one.")] = None,
    reasoning: Annotated[
        bool, typer.Option("--reasoning", help="Show the model's reasoning, which is not audited.")
    ] = (False),
) -> None:
    """Work a case up: red flags, differential, plan and what is missing, each sentence with its source."""
    from primum.graph.request import check_name, check_text

    text = check_text(text, "case")
    check_name(patient, "patient")
    if thread is not None:
        check_name(thread, "thread")

    async def work() -> Any:
        from primum import open_agent

        async with open_agent(work=False) as agent:
            return await agent.ask(
                text, patient=patient, thread=thread, audience="clinician", form="case", reasoning=reasoning
            )

    answer = run(work())
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        from primum.server.console import show_answer

        show_answer(answer)


@case.command(epilog='Example: primum case generate --topic "heart failure" -n 5 --seed 1 --out cases.jsonl')
def generate(
    topic: Annotated[str, typer.Option(help="A condition of the library, by its title or another name.")],
    number: Annotated[int, typer.Option("-n", min=1, max=200, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same cases of the same library.")] = 1,
    out: Annotated[Path | None, typer.Option(help="JSON lines; else standard output.", dir_okay=False)] = None,
) -> None:
    """Make cases from the library's own sentences, each with its diagnosis, sources and what was left out."""

    async def work() -> Any:
        from primum import open_agent
        from primum.evals.vignettes import generate

        async with open_agent(work=False) as agent:
            return await generate(agent.resources.library, topic, number, seed)

    try:
        made = run(work())
    except ValueError as error:
        raise BadInput(str(error)) from None
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made)
    if out is None:
        typer.echo(lines, nl=False)
    else:
        out.write_text(lines, encoding="utf-8")
        say(f"{len(made)} cases in {out}")
