"""Imported interaction tables in whole turns: asked, cited, part of the version, and checked at the start."""

from pathlib import Path

import pytest

from primum.graph.agent import Agent
from primum.graph.errors import BadInput
from primum.graph.resources import open_resources
from primum.graph.rules import rules_in_use
from primum.graph.settings import Settings, read_settings
from primum.safety.importers import Imported, write_rows
from primum.safety.interactions import imported_version, pair
from primum.safety.profile import Profile
from primum.safety.validator import rules_version
from tests.fakes import FakeEmbedder, FakeVLLM
from tests.pages import cited

GOUT = "Ibuprofen or colchicine treats an attack of gout"
ROW = Imported("colchicine", "metformin", "contraindicated", "Because.", "Some table", "CC BY 4.0")


def folder(path: Path, *rows: Imported) -> Path:
    path.mkdir(exist_ok=True)
    write_rows(rows or [ROW], path / "some.csv")
    return path


async def test_a_turn_asks_imported_tables_in_its_report_and_its_audit(
    settings: Settings, vllm: FakeVLLM, tmp_path: Path
) -> None:
    vllm.default = cited(f"{GOUT} [colchicine].")
    question, profile = "How is an attack of gout treated?", Profile(medicines=("metformin",))
    other = Profile(medicines=("metformin 500 mg",))  # the audit of a sentence is remembered as long as a process lives
    async with open_resources(settings, FakeEmbedder()) as resources:
        before = await Agent(resources).ask(question, profile=other)
    imported = settings.model_copy(update={"interactions": folder(tmp_path / "tables")})
    async with open_resources(imported, FakeEmbedder()) as resources:
        after = await Agent(resources).ask(question, profile=profile)
        asked = await Agent(resources).ask("I take metformin. May I take colchicine?")
    assert GOUT in before.text and GOUT not in after.text
    assert "Some table (CC BY 4.0): contraindicated. Because." in asked.safety.warnings[0]
    assert "Some table (CC BY 4.0)" in asked.safety.findings[0].source
    assert before.trace.rules_version != after.trace.rules_version
    assert after.trace.rules_version == asked.trace.rules_version
    assert imported_version() == ""


async def test_a_damaged_table_stops_the_start(settings: Settings, tmp_path: Path) -> None:
    (folder(tmp_path / "tables") / "bad.csv").write_text("a,b\n")
    damaged = settings.model_copy(update={"interactions": tmp_path / "tables"})
    with pytest.raises(BadInput, match=r"bad.csv, line 1: no column severity"):
        async with open_resources(damaged, FakeEmbedder()):
            pass
    assert imported_version() == ""


def test_the_tables_lie_in_the_home_unless_a_folder_is_set(tmp_path: Path) -> None:
    home = read_settings(home=tmp_path)
    with rules_in_use(home):
        assert imported_version() == ""
    folder(home.interaction_tables)
    with rules_in_use(home):
        assert imported_version() and pair("colchicine", "metformin")
        assert rules_version().endswith(imported_version())
    assert home.interaction_tables == tmp_path / "interactions" and pair("colchicine", "metformin") is None
    with pytest.raises(BadInput, match="PRIMUM_INTERACTIONS"), rules_in_use(read_settings(interactions=tmp_path / "x")):
        pass


def test_what_goes_wrong_later_is_not_blamed_on_the_tables(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^of its own$"), rules_in_use(read_settings(home=tmp_path)):
        raise ValueError("of its own")
