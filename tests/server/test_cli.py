"""The command line as a user meets it: exit codes, and what goes to stdout and what to stderr."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from primum import __version__
from primum.graph.answer import Answer, Citation, Trace
from primum.server.console import show_answer
from tests.commands import primum

AWAY = "postgresql://primum@127.0.0.1:1/primum"
HEAVY = ("torch", "streamlit", "langgraph", "sqlalchemy", "FlagEmbedding", "transformers")


COMMANDS = [
    [],
    ["up"],
    ["ask"],
    ["ingest"],
    ["search"],
    ["serve"],
    ["serve", "api"],
    ["serve", "model"],
    ["adapters"],
    ["adapters", "load"],
    ["adapters", "use"],
    ["finetune", "lint"],
    ["finetune", "merge"],
    ["finetune", "export"],
    ["serve", "mcp"],
    ["serve", "worker"],
    ["serve", "page"],
    ["db"],
    ["check"],
    ["eval"],
    ["interactions"],
    ["interactions", "import"],
    ["interactions", "list"],
    ["terms"],
    ["terms", "import"],
    ["terms", "list"],
    ["facts"],
    *(["facts", name] for name in ("list", "set", "end", "remove", "export", "import")),
    ["erase"],
    ["audit"],
    ["audit", "verify"],
    ["audit", "show"],
]


GROUPS = ("serve", "db", "interactions", "terms", "facts", "audit", "adapters")


@pytest.mark.parametrize("command", [*COMMANDS, ["serve", "model"], ["db"], ["db", "upgrade"]], ids=" ".join)
def test_every_command_explains_itself(command: list[str]) -> None:
    done = primum(*command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: {' '.join(['primum', *command])}" in done.stdout
    if command not in (
        [],
        *([name] for name in ("serve", "db", "interactions", "terms", "facts", "audit", "adapters")),
    ):
        assert f"primum {' '.join(command)}" in done.stdout.partition("Example:")[2]


def test_it_says_its_version() -> None:
    done = primum("--version")
    assert (done.returncode, done.stdout) == (0, f"Primum {__version__}\n")


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['primum', '--help']\nfrom primum.server.cli import main\n"
    code += f"try: main()\nexcept SystemExit: print(sorted(set({HEAVY}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nonsense"], "No such command"),
        (["ask"], "Missing argument"),
        (["ask", ""], "The question is empty"),
        (["ask", " \n\t "], "The question is empty"),
        (["ask", "?" * 100_000], "the limit is 8,000"),
        (["ask", "pain\x1b"], "control character"),
        (["ask", "pain \udc80"], "lone surrogate"),
        (["ask", "pain", "--patient", "two words"], "The patient must be"),
        (["ask", "pain", "--audience", "dog"], "--audience"),
        (["check", ""], "The text is empty"),
        (["check", "pain", "--profile", "nowhere.json"], "--profile"),
        (["eval", "triage", "--data", "nowhere.jsonl"], "No such file"),
        (["eval", "nonsense", "--data", "nowhere.jsonl"], "nonsense"),
        (["interactions", "import", "ddinter"], "Missing argument"),
        (["interactions", "import", "drugbank", "x.csv"], "drugbank"),
        (["interactions", "import", "ddinter", "nowhere.csv"], "Nothing was imported. nowhere.csv: can't be read"),
        (["terms", "import", "snomed", "x.txt"], "snomed"),
        (["terms", "import", "do", "nowhere.obo"], "No such file: nowhere.obo"),
        (["ask", "pain", "--max-words", "5"], "--max-words"),
        (["search", " "], "The query is empty"),
        (["search", "pain", "-k", "0"], "-k"),
        (["ingest"], "Missing argument"),
        (["ingest", "/no/such/file"], "No such file, folder or source: /no/such/file"),
        (["ingest", ".", "--workers", "2"], "--workers goes with --ray"),
        (["index", "abacus"], "abacus"),
        (["serve", "model", "--engine", "vllm"], "give --model"),
        (["serve", "model", "--engine", "llamacpp", "--adapter", "a=b"], "finetune merge"),
        (["serve", "model", "--engine", "abacus"], "--engine"),
        (["serve", "api", "--port", "70000"], "--port"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_wrong_use_exits_2_and_says_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = primum(*arguments, PRIMUM_HOME=str(tmp_path / "home"))
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_a_setting_that_does_not_exist_exits_2() -> None:
    done = primum("db", "upgrade", PRIMUM_HOEM="/tmp")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean PRIMUM_HOME?" in done.stderr


def test_a_home_that_cannot_be_made_exits_2() -> None:
    done = primum("db", "upgrade", PRIMUM_HOME="/dev/null/home")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PRIMUM_HOME can't be used" in done.stderr


@pytest.mark.parametrize("command", [["db", "upgrade"], ["serve", "api"]], ids=" ".join)
def test_a_database_that_is_away_exits_1_with_a_plain_sentence(command: list[str]) -> None:
    done = primum(*command, PRIMUM_DATABASE_URL=AWAY, PRIMUM_MODEL_URL="http://127.0.0.1:1/v1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The database can't be reached. Nothing was changed.\n"


def test_the_tables_of_a_given_database_are_made(empty_database_url: str) -> None:
    done = primum("db", "upgrade", PRIMUM_DATABASE_URL=empty_database_url)
    assert (done.returncode, done.stdout) == (0, "The tables are up to date.\n")


def test_a_dry_run_prints_the_command_and_runs_nothing() -> None:
    done = primum("serve", "model", "--engine", "vllm", "--model", "Qwen/Qwen3-32B", "--port", "9", "--dry-run")
    assert done.returncode == 0
    assert "vllm serve Qwen/Qwen3-32B --host 127.0.0.1 --port 9" in done.stdout
    assert "--engine llamacpp" in primum("serve", "model", "--engine", "llamacpp", "--dry-run").stdout


def test_vllm_takes_our_place_with_its_key_in_the_environment(tmp_path: Path) -> None:
    program = tmp_path / "vllm"
    program.write_text('#!/bin/sh\necho "$VLLM_API_KEY $VLLM_NO_USAGE_STATS $1 $2"\n')
    program.chmod(0o755)
    chosen = ["--engine", "vllm", "--model", "M", "--vllm", str(program)]
    assert primum("serve", "model", *chosen, PRIMUM_MODEL_KEY="secret").stdout == "secret 1 serve M\n"
    assert "secret" not in primum("serve", "model", *chosen, "--dry-run", PRIMUM_MODEL_KEY="secret").stdout


def test_a_key_that_llamacpp_would_not_ask_for_keeps_it_on_this_machine() -> None:
    open_ = ["serve", "model", "--engine", "llamacpp", "--host", "0.0.0.0", "--dry-run"]
    refused = primum(*open_, PRIMUM_MODEL_KEY="secret")
    assert refused.returncode == 2 and "PRIMUM_MODEL_KEY is set" in refused.stderr
    assert primum(*open_).returncode == 0


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "gout.md").write_text("# Gout\n\nGout is caused by crystals of uric acid in a joint.\n")
    (folder / "broken.pdf").write_text("no PDF")
    return folder


def test_documents_go_in_are_found_and_answer_a_question(database_url: str, pages: Path) -> None:
    # Nothing answers at the model's address, so the answer is the passages' own sentences.
    given = {"PRIMUM_DATABASE_URL": database_url, "PRIMUM_MODEL_URL": "http://127.0.0.1:1/v1"}
    done = primum("ingest", str(pages), "--json", **given)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["added"], [entry["name"] for entry in report["skipped"]]) == (1, [str(pages / "broken.pdf")])
    assert "broken.pdf" in done.stderr

    done = primum("search", "crystals of uric acid", "-k", "3", "--json", **given)
    (found,) = json.loads(done.stdout)
    assert done.returncode == 0
    assert (found["rank"], found["title"]) == (1, "Gout")
    assert found.keys() == {
        *("rank", "score", "title", "heading", "url", "text", "page", "evidence", "published"),
        *("document_id", "chunk_id"),
    }

    done = primum("ask", "What causes gout?", "--json", **given)
    answer = Answer.model_validate_json(done.stdout)
    assert done.returncode == 0, done.stderr
    assert answer.status == "evidence_only"
    assert [citation.title for citation in answer.citations] == ["Gout"]


def test_the_index_of_the_vectors_is_changed_and_search_goes_on(database_url: str, pages: Path) -> None:
    given = {"PRIMUM_DATABASE_URL": database_url}
    assert "put documents into it first" in primum("index", "binary", **given).stderr
    primum("ingest", str(pages / "gout.md"), **given)
    assert primum("index", "binary", **given).stdout == "The index of the vectors is binary now.\n"
    assert primum("index", "binary", **given).stdout == "It is binary already.\n"
    assert json.loads(primum("search", "uric acid", "--json", **given).stdout)[0]["title"] == "Gout"


def test_people_see_the_answer_then_its_sources_then_how_sure_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    citation = Citation(
        marker=1,
        chunk_id=1,
        document_id=1,
        title="Gout",
        heading="Causes",
        url="https://x.org/g",
        quote="Crystals [of] acid",
    )
    trace = Trace(run_id="r", model="m")
    show_answer(
        Answer(text="Crystals [1].", status="evidence_only", citations=[citation], confidence=0.62, trace=trace)
    )
    assert capsys.readouterr().out.splitlines() == [
        "Crystals [1].",
        "",
        "[1] Gout – Causes",
        "    “Crystals [of] acid”",
        "    https://x.org/g",
        "",
        "evidence only · confidence 62%",
    ]


def test_check_explains_what_the_rules_find_and_where_it_comes_from(tmp_path: Path) -> None:
    text = "I take warfarin and want to take ibuprofen 800 mg four times a day"
    done = primum("check", text)
    assert done.returncode == 0 and "Source:" in done.stdout and "warfarin" in done.stdout and "3,200 mg" in done.stdout
    profile = tmp_path / "profile.json"
    profile.write_text('{"allergies": ["NSAIDs (anaphylaxis)"]}')
    report = json.loads(primum("check", text, "--profile", str(profile), "--json").stdout)
    assert {finding["rule"].partition(".")[0] for finding in report["findings"]} >= {"interaction", "dose", "allergy"}
    assert report["risk_level"] == 3


def test_a_profile_with_a_fault_is_named(tmp_path: Path) -> None:
    profile = tmp_path / "profile.json"
    profile.write_text('{"age": -3, "alergies": []}')
    done = primum("check", "pain", "--profile", str(profile))
    assert done.returncode == 2 and "age" in done.stderr and "alergies" in done.stderr


def test_eval_reports_on_cases_of_ones_own(tmp_path: Path) -> None:
    cases, out = tmp_path / "cases.jsonl", tmp_path / "report.json"
    cases.write_text(
        '{"id": "a", "text": "Crushing chest pain into the left arm, sweating", "emergency": true}\n'
        '{"id": "b", "text": "What is gout?", "emergency": false}\n'
    )
    done = primum("eval", "triage", "--data", str(cases), "--out", str(out))
    assert done.returncode == 0 and json.loads(done.stdout) == json.loads(out.read_text())
    assert json.loads(done.stdout)["missed_ids"] == []
    cases.write_text('{"id": "a"}\n')
    done = primum("eval", "triage", "--data", str(cases))
    assert done.returncode == 2 and "text" in done.stderr and "line 1" in done.stderr


TABLE = "DDInterID_A,Drug_A,DDInterID_B,Drug_B,Level\n1,Ramipril,2,Norvasc,Major\n1,Ramipril,3,Zzyzxomab,Minor\n"
NEW = "a,b,severity,text,source,licence\nramipril,amlodipine,contraindicated,Why.,Some table,CC BY 4.0\n"


def test_imported_tables_are_asked_by_check_and_eval_and_shown_with_their_licence(tmp_path: Path) -> None:
    file, home = tmp_path / "ddinter_A.csv", {"PRIMUM_HOME": str(tmp_path / "home")}
    file.write_text(TABLE)
    text = "I take ramipril and amlodipine"
    before = json.loads(primum("check", text, "--json", **home).stdout)
    done = primum("interactions", "import", "ddinter", str(file), "--json", **home)
    (table,) = json.loads(done.stdout)
    assert done.returncode == 0 and table["file"] == str(tmp_path / "home" / "interactions" / "ddinter-ddinter_A.csv")
    assert table["rows"] == 2 and table["severities"] == {"major": 1, "minor": 1}
    assert table["licences"] == ["CC BY-NC-SA 4.0"] and table["unknown_names"] == ["zzyzxomab"]
    assert f"Reading {file}" in done.stderr and "restart" in done.stderr

    after = json.loads(primum("check", text, "--json", **home).stdout)
    assert (before["risk_level"], after["risk_level"]) == (1, 2)
    assert "DDInter (CC BY-NC-SA 4.0): major, without a reason." in after["warnings"][0]
    assert "CC BY-NC-SA 4.0" in primum("interactions", "list", **home).stdout

    cases = tmp_path / "cases.jsonl"
    cases.write_text('{"drug_a": "ramipril", "drug_b": "zzyzxomab", "severity": "minor"}\n')
    found = [
        json.loads(primum("eval", "interactions", "--data", str(cases), PRIMUM_HOME=folder).stdout)["found"]
        for folder in (str(tmp_path / "none"), home["PRIMUM_HOME"])
    ]
    assert found == [0, 1]


def test_a_file_that_is_damaged_leaves_what_was_imported_before(tmp_path: Path) -> None:
    file, home = tmp_path / "a.csv", {"PRIMUM_INTERACTIONS": str(tmp_path / "tables")}
    file.write_text(TABLE)
    primum("interactions", "import", "ddinter", str(file), **home)
    file.write_text(TABLE + "1,,2,Aspirin,Major\n")
    done = primum("interactions", "import", "ddinter", str(file), **home)
    assert (done.returncode, done.stdout) == (2, "") and "a.csv, line 4: a row without two drugs" in done.stderr
    assert len(list((tmp_path / "tables").iterdir())) == 1
    assert json.loads(primum("interactions", "list", "--json", **home).stdout)[0]["rows"] == 2


@pytest.mark.parametrize(
    "command", [["check", "pain"], ["interactions", "list"], ["up"], ["eval", "safety", "--data", "c"]]
)
def test_a_damaged_table_stops_the_start_with_its_file_and_line(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "c").write_text('{"text": "x", "harmful": false}')
    (tmp_path / "bad.csv").write_text(NEW + "ramipril,amlodipine,deadly,Why.,Some table,CC BY 4.0\n")
    done = primum(*[str(tmp_path / "c") if one == "c" else one for one in command], PRIMUM_INTERACTIONS=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "bad.csv, line 3: severity 'deadly'" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_is_set_must_have_tables(tmp_path: Path) -> None:
    done = primum("check", "pain", PRIMUM_INTERACTIONS=str(tmp_path / "nowhere"))
    assert done.returncode == 2 and "PRIMUM_INTERACTIONS" in done.stderr and "nowhere" in done.stderr
    done = primum("interactions", "list", PRIMUM_INTERACTIONS=str(tmp_path / "nowhere"))
    assert done.returncode == 0 and "No imported tables" in done.stdout
    (tmp_path / "a.csv").write_text(TABLE)
    done = primum("interactions", "import", "ddinter", str(tmp_path / "a.csv"), PRIMUM_INTERACTIONS="/dev/null/x")
    assert (done.returncode, done.stdout) == (1, "") and "/dev/null/x can't be written to" in done.stderr


OBO = '[Term]\nid: DOID:9352\nname: type 2 diabetes mellitus\nsynonym: "NIDDM" EXACT []\n'


def test_imported_terms_are_shown_with_their_licence_and_a_damaged_table_stops_the_start(tmp_path: Path) -> None:
    file, home = tmp_path / "doid.obo", {"PRIMUM_HOME": str(tmp_path / "home")}
    file.write_text(OBO)
    done = primum("terms", "import", "do", str(file), "--json", **home)
    (table,) = json.loads(done.stdout)
    assert done.returncode == 0 and table["file"] == str(tmp_path / "home" / "terms" / "do-doid.csv")
    assert table["rows"] == 1 and table["licences"] == ["CC0 1.0"] and "restart" in done.stderr
    listed = primum("terms", "list", **home).stdout
    assert "zh.csv" in listed and "do-doid.csv" in listed and "Licence: CC0 1.0" in listed

    file.write_text("nothing\n")
    done = primum("terms", "import", "do", str(file), **home)
    assert (done.returncode, done.stdout) == (2, "") and "Nothing was imported." in done.stderr
    imported = tmp_path / "home" / "terms" / "do-doid.csv"
    imported.write_text(imported.read_text() + "a,en,,synonym,b,,c\n")
    for command in (["up"], ["check", "pain"], ["terms", "list"]):
        done = primum(*command, **home)
        assert (done.returncode, "do-doid.csv, line 3: no standard" in done.stderr) == (2, True)


STOPS_SLOWLY = """
import asyncio
from primum.server.cli import run

async def work():
    print("started", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("stopping", flush=True)
        await asyncio.sleep(0.5)
        print("all is stopped", flush=True)

run(work())
"""


def test_a_second_ctrl_c_does_not_break_off_the_stopping() -> None:
    with subprocess.Popen([sys.executable, "-c", STOPS_SLOWLY], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "stopping\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "all is stopped\n"
        assert child.wait(timeout=30) == 130
