"""The safety rules as the settings want them: with the imported interaction tables, if there are any."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from primum.graph.errors import BadInput
from primum.graph.settings import Settings
from primum.safety import interactions


@contextmanager
def rules_in_use(settings: Settings) -> Iterator[None]:
    """As long as it is open, every check of this process asks the imported tables as well.

    Raises:
        BadInput: a table is damaged (file and line), or PRIMUM_INTERACTIONS is set and has none.
    """
    folder = settings.interaction_tables
    wanted = settings.interactions is not None or any(folder.glob("*.csv"))
    with ExitStack() as stack:
        try:
            stack.enter_context(interactions.using(folder if wanted else None))
        except ValueError as error:
            raise BadInput(f"The imported tables (PRIMUM_INTERACTIONS) can't be used: {error}.") from None
        yield
