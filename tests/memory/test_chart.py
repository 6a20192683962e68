"""A chart over its versions: what goes when a fact is removed, and what a ruling leaves."""

from datetime import UTC, date, datetime

import pytest

from primum.graph.errors import BadInput
from primum.memory.audit import Audit
from primum.memory.chart import Charts, Recalled
from primum.memory.extract import extract
from primum.memory.secret import Secret
from primum.memory.session import Database
from tests.rows import ME, rows

DAYS = (date(2024, 1, 1), date(2024, 6, 1), date(2025, 1, 1), date(2025, 6, 1))


@pytest.fixture
def charts(database: Database) -> Charts:
    return Charts(database, Audit(database, Secret("x" * 32)))


async def tell(charts: Charts, *messages: str) -> Recalled:
    """What is told on one day after the other."""
    for number, (said, day) in enumerate(zip(messages, DAYS, strict=False)):
        await charts.take(ME, extract(said, today=day, message_id=str(number)), "rules")
    return await charts.read(ME)


async def words(charts: Charts, *, ended: bool = False, at: datetime | None = None) -> list[str]:
    return [one.fact.words for one in await charts.as_of(ME, at or datetime.now(UTC), ended=ended)]


async def number_of(charts: Charts, text: str) -> int:
    (found,) = [one.id for one in await charts.as_of(ME, datetime.now(UTC), ended=True) if one.fact.words == text]
    return found


async def test_of_two_times_that_have_ended_one_goes_with_its_versions(charts: Charts) -> None:
    await tell(charts, "I take warfarin", "I stopped warfarin in May 2024", "I take warfarin", "I stopped warfarin")
    assert await words(charts, ended=True) == ["warfarin (until 2024-05)", "warfarin (until 2025-06-01)"]
    assert await charts.forget(ME, await number_of(charts, "warfarin (until 2024-05)")) == 2
    assert await words(charts, ended=True) == ["warfarin (until 2025-06-01)"]
    left = await rows(charts.database, "select fact -> 'quotes' -> 0 ->> 'message' from facts order by id")
    assert {message for (message,) in left} == {"2"}


async def test_an_end_is_removed_and_what_holds_again_stays(charts: Charts) -> None:
    await tell(charts, "I take warfarin 5 mg", "I take warfarin 3 mg")
    await charts.forget(ME, await number_of(charts, "warfarin 5 mg (until 2024-06-01)"))
    assert await words(charts, ended=True) == ["warfarin 3 mg"]
    assert await rows(charts.database, "select count(*) from facts") == [(1,)]


async def test_with_a_fact_go_its_contradictions_those_that_were_settled_too(charts: Charts) -> None:
    found = await tell(charts, "I'm allergic to penicillin", "I have no allergies")
    await charts.settle(ME, found.unclear[0].id, "known")
    await charts.forget(ME, await number_of(charts, "allergy to penicillin"))
    assert await rows(charts.database, "select count(*) from contradictions") == [(0,)]


@pytest.mark.parametrize(
    ("said", "denied", "right", "left"),
    [
        ("I take metformin 500 mg", "I don't take metformin", "known", ["metformin 500 mg"]),
        ("I take metformin 500 mg", "I don't take metformin", "new", ["no metformin"]),
        ("I'm a woman", "I'm a man", "known", ["female"]),
        ("I was born in 1950", "I am 30 years old", "known", ["born 1950"]),
        ("I was born in 1950", "I am 30 years old", "neither", []),
        ("I have gout", "I don't have gout", "new", ["no gout"]),
        ("I have no allergies", "I'm allergic to latex", "known", ["no allergies"]),
        ("I have no allergies", "I'm allergic to latex", "new", ["allergy to latex"]),
    ],
)
async def test_a_ruling_leaves_what_is_right_and_nothing_unclear(
    charts: Charts, said: str, denied: str, right: str, left: list[str]
) -> None:
    found = await tell(charts, said, denied)
    before = datetime.now(UTC)
    stood = await words(charts)
    after = await charts.settle(ME, found.unclear[0].id, right, "clinician")  # type: ignore[arg-type]
    assert [one.fact.words for one in after.facts] == left and after.unclear == ()
    assert [one.source for one in after.facts] == ["form"] * len(left)
    ended = ["metformin 500 mg (until 2024-06-01)"] if left == ["no metformin"] else []  # which it may well have been
    assert sorted(await words(charts, ended=True)) == sorted([*left, *ended])
    assert await words(charts, at=before) == stood
    events = await rows(charts.database, "select actor, action, details ->> 'right' from audit_events order by number")
    assert ("clinician", "settle facts", right) in events
    with pytest.raises(BadInput, match="Nothing unclear"):
        await charts.settle(ME, found.unclear[0].id, right)  # type: ignore[arg-type]


async def test_an_age_that_is_found_right_later_has_grown(charts: Charts) -> None:
    found = await tell(charts, "I am 30 years old", "I am 60 years old")
    after = await charts.settle(ME, found.unclear[0].id, "known")
    (age,) = after.facts
    assert age.fact.number == 30 + int((datetime.now(UTC).date() - DAYS[0]).days / 365.25)
