"""Folders of training rows that hold some of a patient: known by name, so that the rows can be taken out again."""

import asyncio
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from primum.memory.session import RESTS

FILES = ("pairs.jsonl", "opinions.jsonl")
RUN = "run.json"  # of a training run's folder: it names the hashes of its data
DEPTH = 3  # folders below a root in which runs are looked for

_ADD = text("""
insert into exports (id, tenant, patient, folder, hashes, rows)
select :id, :tenant, :patient, :folder, :hashes, :rows from patients
where tenant = :tenant and id = :patient and consent is not false for share
""").bindparams(bindparam("hashes", type_=JSONB))
_OF_PATIENT = text("select id, folder, hashes, rows from exports order by at")


class Withdrawn(Exception):
    """Somebody whose rows were about to be exported no longer consents."""


@dataclass(frozen=True)
class Written:
    """A folder as it was exported; `rows` of it are the patient's."""

    id: UUID
    folder: str
    hashes: Mapping[str, str]
    rows: int


class TakenOut(BaseModel):
    """What became of a patient's rows: how many left each folder that was there, the folders that were not, and the
    adapters beside them that were trained with the rows, which only training anew frees of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Mapping[str, int] = {}
    gone: Sequence[str] = ()
    adapters: Sequence[str] = ()


async def add(connection: AsyncConnection, tenant: str, patient: str, written: Written) -> None:
    """Notes that a folder holds rows of this patient. Raises Withdrawn if they withdrew their consent meanwhile."""
    given = {**vars(written), "hashes": dict(written.hashes), "tenant": tenant, "patient": patient}
    if not (await connection.execute(_ADD, given)).rowcount:
        raise Withdrawn("A patient withdrew their consent meanwhile.")


async def of_patient(connection: AsyncConnection) -> Sequence[Written]:
    """The folders with rows of the patient of this transaction."""
    return [Written(**row._asdict()) for row in await connection.execute(_OF_PATIENT)]


def hashes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of rows that is there."""
    there = [folder / name for name in FILES if (folder / name).is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


async def take_out(connection: AsyncConnection, written: Sequence[Written], subjects: Collection[str]) -> TakenOut:
    """Takes a patient's rows, by their pseudonyms, out of these folders; names the adapters made with them.

    `connection`: of the transaction that is not ended before they are.
    """
    await connection.execute(RESTS)
    return await asyncio.to_thread(_take_out, written, subjects)


def _take_out(written: Sequence[Written], subjects: Collection[str]) -> TakenOut:
    folders = list(dict.fromkeys(Path(one.folder) for one in written))
    there = [folder for folder in folders if hashes_of(folder)]
    known = {hash_ for one in written for hash_ in one.hashes.values()}
    return TakenOut(
        rows={str(folder): sum(without(folder / name, subjects) for name in FILES) for folder in there},
        gone=[str(folder) for folder in folders if folder not in there],
        adapters=sorted({str(run) for folder in folders for run in trained_with(known, folder)}),
    )


def without(path: Path, subjects: Collection[str]) -> int:
    """Takes the rows of these pseudonyms out of a file, through one beside it; how many there were."""
    if not path.is_file():
        return 0
    # At newlines alone: a text may hold other signs that end a line.
    lines = [f"{line}\n" for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    kept = [line for line in lines if json.loads(line).get("subject") not in subjects]
    beside = path.with_name(f".{path.name}.part")
    beside.write_text("".join(kept), encoding="utf-8")
    beside.replace(path)
    return len(lines) - len(kept)


def trained_with(hashes: set[str], folder: Path) -> list[Path]:
    """The training runs up to three folders below the folder's own whose `run.json` names one of these hashes of data,
    or the folder: once rows left it, its files have other hashes than those that were exported."""
    root = folder.parent
    runs = [run for depth in range(1, DEPTH + 1) for run in root.glob("*/" * depth + RUN)] if root.is_dir() else []
    told = [json.dumps(str(one)) for one in (folder, *(folder / name for name in FILES))]
    return [run.parent for run in runs if any(one in run.read_text(encoding="utf-8") for one in (*hashes, *told))]
