"""Adapters of a vLLM that runs: loaded and unloaded without a restart."""

from typing import Any

import httpx

from primum.graph.errors import BadInput, ModelUnavailable

CLOSED = (
    "The model server takes no adapters while it runs. Start it with `primum serve model --engine vllm --hot-load`, "
    "or with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and --enable-lora."
)


async def load_adapter(http: httpx.AsyncClient, name: str, folder: str) -> None:
    """Has vLLM load the adapter in a folder of its machine under a new name.

    A name that is taken is refused: vLLM keeps what it cached of the prompts that the old adapter read.

    Raises:
        BadInput: vLLM refuses, and says why.
        ModelUnavailable: it can't be reached.
    """
    await _post(http, "load_lora_adapter", {"lora_name": name, "lora_path": folder})


async def unload_adapter(http: httpx.AsyncClient, name: str) -> None:
    """Has vLLM forget an adapter. Raises as `load_adapter` does."""
    await _post(http, "unload_lora_adapter", {"lora_name": name})


async def _post(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    try:
        response = await http.post(path, json=body)
    except httpx.HTTPError:
        raise ModelUnavailable("The model server can't be reached: is PRIMUM_MODEL_URL right?") from None
    if response.is_success:
        return
    said = _said(response)
    if response.status_code in (404, 405) and not said:
        raise BadInput(CLOSED)
    if response.status_code == 401:
        raise BadInput("The model server wants its key: set PRIMUM_MODEL_KEY.")
    raise BadInput(f"vLLM refused: {said or f'HTTP {response.status_code}'}")


def _said(response: httpx.Response) -> str:
    """vLLM's own words; empty if it is not vLLM's error."""
    try:
        error = response.json()["error"]
        return " ".join(str(error["message"]).split())[:500] if isinstance(error, dict) else ""
    except (ValueError, KeyError, TypeError):
        return ""
