"""The rules as the settings want them: with the imported tables of interactions and of terms, if there are any."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from primum.graph.errors import BadInput
from primum.graph.settings import Settings
from primum.retrieval import terms
from primum.safety import interactions


@contextmanager
def rules_in_use(settings: Settings) -> Iterator[None]:
    """As long as it is open, every check and question of this process asks the imported tables as well.

    Raises:
        BadInput: a table is damaged (file and line), or PRIMUM_INTERACTIONS or PRIMUM_TERMS is set and has none.
    """
    known, words = settings.interaction_tables, settings.term_tables
    with ExitStack() as stack:
        try:
            stack.enter_context(interactions.using(_wanted(known, settings.interactions)))
        except ValueError as error:
            raise BadInput(f"The imported tables (PRIMUM_INTERACTIONS) can't be used: {error}.") from None
        try:
            stack.enter_context(terms.using(_wanted(words, settings.terms)))
        except ValueError as error:
            raise BadInput(f"The imported terms (PRIMUM_TERMS) can't be used: {error}.") from None
        yield


def _wanted(folder: Path, chosen: Path | None) -> Path | None:
    """The folder if it was chosen or has a table."""
    return folder if chosen is not None or any(folder.glob("*.csv")) else None
