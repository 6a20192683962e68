"""`primum terms`: other publishers' synonyms, by which questions are understood."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from primum.graph.errors import BadInput, PrimumError
from primum.server.terminal import AsJson, print_json, say

terms = typer.Typer(help="Medical terms of other publishers, beside Primum's own.", no_args_is_help=True)


@terms.command("import", epilog="Example: primum terms import do doid.obo")
def import_terms(
    form: Annotated[Literal["do", "mesh"], typer.Argument(metavar="FORMAT", help="Whose file it is: do, mesh.")],
    file: Annotated[Path, typer.Argument(help="Disease Ontology: .obo .json. MeSH descriptors: .xml .bin. Or .gz.")],
    as_json: AsJson = False,
) -> None:
    """Import synonyms, so that questions are searched for by their standard names as well.

    One file becomes one table, in the place of an earlier one of that name.
    """
    from primum.graph.settings import read_settings
    from primum.retrieval.term_importers import read_vocabulary, write_terms

    folder = read_settings().term_tables
    if not file.is_file():
        raise BadInput(f"No such file: {file}")
    say(f"Reading {file}")
    try:
        rows = read_vocabulary(form, file)
        if not rows:
            raise ValueError(f"No synonym is in {file}.")
    except ValueError as error:
        raise BadInput(f"Nothing was imported. {error}") from None
    name = f"{form}-{file.name.partition('.')[0]}.csv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_terms(rows, folder / name)
    except OSError as error:
        raise PrimumError(f"{folder} can't be written to: {error.strerror}.") from None
    _show(folder, [name], as_json)
    say("What runs uses them after a restart.")


@terms.command("list", epilog="Example: primum terms list --json")
def list_terms(as_json: AsJson = False) -> None:
    """Show the shipped tables and the imported ones with their licences. To take an imported one out, delete it."""
    from primum.graph.settings import read_settings
    from primum.retrieval.terms import TABLE

    folder = read_settings().term_tables
    shipped = [TABLE / path.name for path in sorted(TABLE.glob("*.csv"))]
    _show(folder, [str(path) for path in shipped] + sorted(path.name for path in folder.glob("*.csv")), as_json)


def _show(folder: Path, names: list[str], as_json: bool) -> None:
    """Each of these tables: its rows by language, and its licence."""
    from primum.retrieval.term_importers import described

    try:
        shown = [{"file": str(folder / name), **described(folder / name)} for name in names]
    except ValueError as error:
        raise BadInput(f"A table is damaged: {error}. Import it again, or delete the file.") from None
    if as_json:
        print_json(shown)
        return
    for table in shown:
        counts = ", ".join(f"{number:,} {language}" for language, number in table["languages"].items())
        licence = f"\n    Licence: {'; '.join(table['licences'])}" if table["licences"] else ""
        typer.echo(f"{table['file']}\n    {table['rows']:,} rows: {counts}{licence}")
