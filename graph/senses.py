"""What a recording says and what a picture shows, as words. Whoever sent it confirms them before they are asked."""

import asyncio
import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from primum.graph.errors import BadInput, ModelUnavailable
from primum.graph.request import MAX_QUESTION
from primum.graph.settings import Settings
from primum.nodes.prompts import render
from primum.safety.sentences import strip_thinking

Sense = Literal["speech", "picture"]
LONGEST_SIDE = 1600  # pixels that a picture is made smaller to
MOST_PIXELS = 50_000_000  # of one that is opened at all
PATIENCE = 60.0  # seconds
_WORDS = 700  # tokens that a picture's words may take
# The first bytes of what is taken; of some, the bytes from the eighth say which of their family it is.
_SOUNDS = ((b"RIFF", b"WAVE", "wav"), (b"OggS", b"", "ogg"), (b"ID3", b"", "mp3"), (b"\xff\xfb", b"", "mp3"),
           (b"\x1aE\xdf\xa3", b"", "webm"), (b"fLaC", b"", "flac"))  # fmt: skip
# Pictures of the family of MP4, as telephones take them: they hold the place, and are not taken.
_STILL = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_PICTURES = ((b"\xff\xd8\xff", b""), (b"\x89PNG", b""), (b"RIFF", b"WEBP"))


@dataclass(frozen=True)
class Senses:
    """The models that hear and see, of an OpenAI-compatible endpoint; None for a sense that no model has."""

    http: httpx.AsyncClient
    speech: str | None
    picture: str | None

    @classmethod
    def of(cls, settings: Settings, http: httpx.AsyncClient) -> "Senses":
        return cls(http, settings.speech_model, settings.picture_model)

    @property
    def able(self) -> list[Sense]:
        """What can be read."""
        return [name for name, model in (("speech", self.speech), ("picture", self.picture)) if model]  # type: ignore[misc]

    async def read(self, content: bytes) -> str:
        """The words of a recording (WAV, OGG, MP3, WebM, FLAC, MP4) or a picture (JPEG, PNG, WebP).

        A picture leaves without what a camera writes into it: the place, the time, the device.

        Raises:
            BadInput: neither of them, damaged, without words, or no model is set for it.
            ModelUnavailable: the endpoint does not answer, or not in its own form.
        """
        if kind := _sound(content):
            return _checked(await self._hear(content, kind))
        if any(content.startswith(first) and content[8:].startswith(later) for first, later in _PICTURES):
            return _checked(await self._see(content))
        raise BadInput("This is no recording (WAV, OGG, MP3, WebM, FLAC, MP4) and no picture (JPEG, PNG, WebP).")

    async def _hear(self, content: bytes, kind: str) -> str:
        if self.speech is None:
            raise BadInput("No model that hears is set. PRIMUM_SPEECH_MODEL names one: openai/whisper-large-v3.")
        files = {"file": (f"recording.{kind}", content)}
        return await self._ask(
            "audio/transcriptions", lambda told: told["text"], data={"model": self.speech}, files=files
        )

    async def _see(self, content: bytes) -> str:
        if self.picture is None:
            raise BadInput("No model that sees is set. PRIMUM_PICTURE_MODEL names one: Qwen/Qwen3-VL-8B-Instruct.")
        url = "data:image/jpeg;base64," + base64.b64encode(await asyncio.to_thread(plain_picture, content)).decode()
        parts = [{"type": "text", "text": render("look")}, {"type": "image_url", "image_url": {"url": url}}]
        body = {
            "model": self.picture,
            "messages": [{"role": "user", "content": parts}],
            "max_tokens": _WORDS,
            "temperature": 0.0,
        }
        said = await self._ask("chat/completions", lambda told: told["choices"][0]["message"]["content"], json=body)
        return strip_thinking(said)[0]

    async def _ask(self, path: str, read: Callable[[Any], Any], **request: Any) -> str:
        try:
            response = await self.http.post(path, timeout=PATIENCE, **request)
            response.raise_for_status()
            said = read(response.json())
        except httpx.HTTPStatusError as error:
            raise ModelUnavailable(f"The model server answered with HTTP {error.response.status_code}.") from None
        except httpx.HTTPError:
            raise ModelUnavailable("The model server can't be reached, or broke off.") from None
        except (ValueError, KeyError, TypeError, IndexError):
            raise ModelUnavailable("The model server sent what is no answer.") from None
        if not isinstance(said, str):
            raise ModelUnavailable("The model server sent what is no answer.")
        return said


def _sound(content: bytes) -> str | None:
    if content[4:8] == b"ftyp" and content[8:12] not in _STILL:
        return "mp4"
    found = (kind for first, later, kind in _SOUNDS if content.startswith(first) and content[8:].startswith(later))
    return next(found, None)


def _checked(said: str) -> str:
    words = " ".join(said.split())
    if not words:
        raise BadInput("No words were found in it. Try again, or type them.")
    return words[:MAX_QUESTION]


def plain_picture(content: bytes) -> bytes:
    """The picture as a JPEG of at most 1,600 pixels a side, with nothing but its pixels.

    Raises:
        BadInput: it is damaged, or has more than 50 million pixels.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP")) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadInput("The picture has more than 50 million pixels. Send a smaller one.")
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise BadInput("The picture is damaged and can't be opened.") from None
    upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    bare = Image.new("RGB", upright.size)  # a copy would keep what the file says beside its pixels
    bare.paste(upright)
    written = io.BytesIO()
    bare.save(written, "JPEG", quality=85)
    return written.getvalue()
