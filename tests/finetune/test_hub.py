"""A push to a hub: a server on loopback that keeps what comes, as the hub's own protocol says."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from primum.finetune.hub import push
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import fingerprint
from tests.adapters import write_adapter

TOKEN = "hf_test"


class Hub(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.made: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            return self._send(401, {"error": "Invalid credentials"})
        if self.path == "/api/repos/create":
            self.server.made.append(json.loads(body))
            return self._send(200, {"url": f"{self.server.url}/clinic/med"})
        if self.path.startswith("/api/models/clinic/med/preupload"):
            asked = json.loads(body)["files"]
            files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]
            return self._send(200, {"files": files})
        if self.path.startswith("/api/models/clinic/med/commit"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            url = f"{self.server.url}/clinic/med/commit/abc"
            return self._send(200, {"commitUrl": url, "commitOid": "abc", "pullRequestUrl": None})
        return self._send(200, {"errors": [], "warnings": []})  # the card's head is valid

    def _send(self, status: int, told: dict[str, Any]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with Hub() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = write_adapter(tmp_path / "med")
    (folder / "card.json").write_text("{}")
    (folder / "checkpoint-5").mkdir()
    (folder / "checkpoint-5" / "optimizer.pt").touch()
    (folder / "train.jsonl").write_text("{}")
    return folder


def test_adapter_and_card_arrive_in_a_private_repository_and_data_and_checkpoints_do_not(
    hub: Hub, adapter: Path
) -> None:
    told = push(adapter, "clinic/med", TOKEN, hub.url)
    assert hub.made[0].get("visibility", hub.made[0].get("private")) in ("private", True)
    assert set(hub.files) == {"adapter_config.json", "adapter_model.safetensors", "card.json"}
    assert hub.files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
    assert told["sha256"] == fingerprint(adapter) and told["commit"] == "abc"


def test_without_a_token_or_with_a_wrong_one_it_is_said_what_to_do(hub: Hub, adapter: Path) -> None:
    with pytest.raises(BadInput, match="PRIMUM_HUB_TOKEN"):
        push(adapter, "clinic/med", None, hub.url)
    with pytest.raises(BadInput, match="401"):
        push(adapter, "clinic/med", "hf_wrong", hub.url)
    assert hub.files == {}


def test_a_name_that_is_none_a_folder_with_nothing_and_an_adapter_with_a_fault_are_refused(
    hub: Hub, adapter: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="no name on a hub"):
        push(adapter, "a/b/c", TOKEN, hub.url)
    with pytest.raises(BadInput, match="neither an adapter nor a model"):
        push(tmp_path, "clinic/med", TOKEN, hub.url)
    write_adapter(adapter, use_dora=True)
    with pytest.raises(BadInput, match="use_dora"):
        push(adapter, "clinic/med", TOKEN, hub.url)


def test_a_hub_that_is_away_is_said_to_be_so(hub: Hub, adapter: Path) -> None:
    hub.server_close()
    hub.shutdown()
    with pytest.raises(TrainingFailed, match="can't be reached"):
        push(adapter, "clinic/med", TOKEN, "http://127.0.0.1:1")
