"""Recordings and pictures become words; what a camera writes into a picture stays here."""

import io
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image

from primum.graph.errors import BadInput, ModelUnavailable
from primum.graph.senses import LONGEST_SIDE, Senses, plain_picture

SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(20)


class Server:
    """An endpoint that keeps what it was asked and says what it is told to."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.reply = httpx.Response(200, json={"text": " I take  warfarin. "})

    async def handle(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.asked.append(request)
        return self.reply


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def senses(server: Server) -> AsyncIterator[Senses]:
    transport = httpx.MockTransport(server.handle)
    async with httpx.AsyncClient(transport=transport, base_url="http://model/v1/") as http:
        yield Senses(http, "whisper", "qwen-vl")


def picture(kind: str = "JPEG", size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "white").save(written, kind, **options)
    return written.getvalue()


def seen(text: str) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}}]})


async def test_a_recording_is_written_down_by_the_model_that_hears(senses: Senses, server: Server) -> None:
    assert await senses.read(SOUND) == "I take warfarin."
    (asked,) = server.asked
    assert asked.url.path == "/v1/audio/transcriptions"
    assert b'name="model"\r\n\r\nwhisper' in asked.content and SOUND in asked.content


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"OggS", "ogg"),
        (b"ID3", "mp3"),
        (b"\xff\xfb", "mp3"),
        (b"\x1aE\xdf\xa3", "webm"),
        (b"fLaC", "flac"),
        (b"\x00\x00\x00\x18ftypM4A ", "mp4"),
    ],
)
async def test_a_recording_is_known_by_its_first_bytes(senses: Senses, server: Server, first: bytes, name: str) -> None:
    await senses.read(first + bytes(30))
    assert f'filename="recording.{name}"'.encode() in server.asked[0].content


async def test_a_picture_is_told_by_the_model_that_sees(senses: Senses, server: Server) -> None:
    server.reply = seen("<think>a label</think>Metformin 500 mg")
    assert await senses.read(picture("PNG")) == "Metformin 500 mg"
    body = json.loads(server.asked[0].content)
    assert body["model"] == "qwen-vl"
    (message,) = body["messages"]
    assert message["content"][1]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_a_picture_leaves_without_place_and_time() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2026:01:01 10:00:00"
    exif[0x010F] = "Someone's telephone"
    sent = plain_picture(picture(exif=exif, comment=b"Anna"))
    with Image.open(io.BytesIO(sent)) as opened:
        assert not opened.getexif() and "comment" not in opened.info


def test_a_large_picture_is_made_smaller() -> None:
    with Image.open(io.BytesIO(plain_picture(picture(size=(4000, 1000))))) as opened:
        assert opened.size == (LONGEST_SIDE, LONGEST_SIDE // 4)


def test_a_picture_of_too_many_pixels_is_not_opened() -> None:
    with pytest.raises(BadInput, match="50 million pixels"):
        plain_picture(picture("PNG", size=(10_000, 6_000)))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00AVI ", b"GIF89a", b"<svg/>"])
async def test_what_is_neither_is_refused_by_name(senses: Senses, server: Server, content: bytes) -> None:
    with pytest.raises(BadInput, match=r"no recording .* and no picture"):
        await senses.read(content)
    assert not server.asked


async def test_a_damaged_picture_is_refused(senses: Senses, server: Server) -> None:
    with pytest.raises(BadInput, match="damaged"):
        await senses.read(picture("PNG")[:60])
    assert not server.asked


@pytest.mark.parametrize("content", [SOUND, b"\xff\xd8\xff"])
async def test_without_a_model_for_it_the_setting_is_named(server: Server, content: bytes) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(server.handle), base_url="http://model") as http:
        with pytest.raises(BadInput, match=r"PRIMUM_(SPEECH|PICTURE)_MODEL"):
            await Senses(http, None, None).read(content)
    assert not server.asked


async def test_silence_is_no_question(senses: Senses, server: Server) -> None:
    server.reply = httpx.Response(200, json={"text": "  "})
    with pytest.raises(BadInput, match="No words"):
        await senses.read(SOUND)


@pytest.mark.parametrize(
    "reply", [httpx.Response(500), httpx.Response(200, text="no"), httpx.Response(200, json={"text": 1})]
)
async def test_a_server_that_fails_is_said_to_be_away(senses: Senses, server: Server, reply: httpx.Response) -> None:
    server.reply = reply
    with pytest.raises(ModelUnavailable):
        await senses.read(SOUND)
