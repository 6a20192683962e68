"""Which model a role uses: a history that is added to and rolled back, the same in all processes."""

import pytest
from sqlalchemy import exc, text

from primum.graph.errors import BadInput
from primum.memory.audit import Audit
from primum.memory.releases import Release, Releases, chosen
from primum.memory.secret import Secret
from primum.memory.session import Database

TENANT = "main"


@pytest.fixture
def trail(database: Database) -> Audit:
    return Audit(Database(database.url), Secret("s" * 40))


@pytest.fixture
def releases(database: Database, trail: Audit) -> Releases:
    return Releases(database, trail)


async def writer(releases: Releases, thread: str = "t") -> str | None:
    release = chosen(await releases.live(), "writer", TENANT, thread)
    return release.model if release else None


async def test_without_a_release_the_settings_decide(releases: Releases) -> None:
    assert await writer(releases) is None
    with pytest.raises(BadInput, match="Nothing to roll back"):
        await releases.rollback(TENANT, "me", "writer")


async def test_the_newest_holds_and_each_rollback_takes_one_back(releases: Releases) -> None:
    for model in ("one", "two", "three"):
        await releases.use(TENANT, "me", "writer", model, adapter="a" * 64)
    await releases.use(TENANT, "me", "critic", "other")
    seen = []
    for _ in range(3):
        seen.append(await writer(releases))
        await releases.rollback(TENANT, "her", "writer")
    assert [*seen, await writer(releases)] == ["three", "two", "one", None]
    history = await releases.history()
    assert [(one.model, one.ended_by) for one in history] == [
        ("other", None),
        ("three", "her"),
        ("two", "her"),
        ("one", "her"),
    ]
    assert all(one.ended_at and one.ended_at >= one.at for one in history[1:])


async def test_a_thread_keeps_its_model_and_a_larger_share_takes_more_and_gives_none_back(releases: Releases) -> None:
    threads = [f"t{number}" for number in range(1000)]
    await releases.use(TENANT, "me", "writer", "old")
    taken: set[str] = set()
    for share in (0.1, 0.5, 1.0):
        await releases.use(TENANT, "me", "writer", "new", share=share)
        live = await releases.live()
        models = {thread: chosen(live, "writer", TENANT, thread) for thread in threads}
        now = {thread for thread, release in models.items() if release and release.model == "new"}
        assert taken <= now
        assert abs(len(now) / 1000 - share) < 0.05
        taken = now


def test_tenants_share_their_threads_names_and_not_their_fate() -> None:
    release = Release(1, "writer", "new", None, {}, 0.5, "me", None, None, None)  # type: ignore[arg-type]
    north, south = ({t for t in map(str, range(200)) if release.takes(tenant, t)} for tenant in ("north", "south"))
    assert north != south


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
async def test_a_share_that_is_none_is_refused(releases: Releases, share: float) -> None:
    with pytest.raises(BadInput, match="above 0 and up to 1"):
        await releases.use(TENANT, "me", "writer", "new", share=share)
    assert await releases.history() == ()


async def test_who_released_and_rolled_back_what_is_in_the_audit_trail(releases: Releases, trail: Audit) -> None:
    made = await releases.use(TENANT, "her", "critic", "med", adapter="a" * 64, share=0.25)
    await releases.rollback(TENANT, "him", "critic")
    events = await trail._page(TENANT, 0)
    assert [(event.actor, event.action) for event in events] == [("her", "use adapter"), ("him", "roll back adapter")]
    told = {"release": made.id, "role": "critic", "model": "med", "adapter": "a" * 64, "share": 0.25}
    assert [event.details for event in events] == [told, told]
    assert (await trail.verify(TENANT)).holds


async def test_what_answers_may_read_releases_and_not_make_them(releases: Releases, database: Database) -> None:
    await releases.use(TENANT, "me", "writer", "med")
    app = Database(database.url)
    async with app.begin() as connection:
        assert await connection.scalar(text("select model from releases")) == "med"
    for statement in ("delete from releases", "update releases set share = 1"):
        with pytest.raises(exc.ProgrammingError, match="permission denied"):
            async with app.begin() as connection:
                await connection.execute(text(statement))
    await app.close()
