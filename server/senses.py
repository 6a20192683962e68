"""Recordings and pictures over HTTP: made into words, for who sent them to confirm and ask. Nothing is kept."""

from typing import Annotated

from fastapi import FastAPI, File, Request, UploadFile
from pydantic import BaseModel, Field

from primum.server.access import access_of, agent_of
from primum.server.openapi import form_example
from primum.server.problems import Responses

MAX_RECORDING = 12 * 1024 * 1024  # bytes: some six minutes of 16-bit sound, or a telephone's picture


class Words(BaseModel):
    text: str = Field(description="What was said or is to be seen. Show it before you ask it: models mishear.")


def add_sense_routes(app: FastAPI, errors: Responses) -> None:
    @app.post("/words", responses=errors, openapi_extra=form_example(file="(the bytes of a recording)"))
    async def words(
        request: Request,
        file: Annotated[UploadFile, File(description="A recording or a picture, 12 MB at most.")],
    ) -> Words:
        """The words of a recording (PRIMUM_SPEECH_MODEL) or of a picture (PRIMUM_PICTURE_MODEL)."""
        access_of(request).need("ask")
        return Words(text=await agent_of(request).resources.senses.read(await file.read()))
