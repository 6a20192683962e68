"""A folder pushed to a hub: an adapter or a merged model, with its cards; checkpoints and caches stay here."""

from pathlib import Path
from typing import Any

from primum.finetune.adapter import checked
from primum.graph.errors import BadInput, TrainingFailed
from primum.graph.fingerprint import model_fingerprint

LEFT_OUT = ["checkpoint-*/**", "runs/**", ".*", "*.part", "*.bin", "*.pt", "*.pth", "*.jsonl", "events.out.*"]


def push(folder: Path, name: str, token: str | None, url: str | None = None) -> dict[str, Any]:
    """Uploads a folder to the private repository `name`, made if need be; returns where it is.

    Raises:
        BadInput: there is nothing to push, no token, or the hub refuses the name or the token.
        TrainingFailed: the hub can't be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    if not token:
        raise BadInput("A push takes a token that may write: set PRIMUM_HUB_TOKEN.")
    if (folder / "adapter_config.json").is_file():
        sha256 = checked(folder).sha256
        assert sha256 is not None  # an adapter without weights has a fault
    elif (folder / "config.json").is_file() and list(folder.glob("*.safetensors")):
        sha256 = model_fingerprint(folder)
    else:
        raise BadInput(f"{folder} holds neither an adapter nor a model.")
    hub = HfApi(endpoint=url, token=token)
    try:
        hub.create_repo(name, private=True, exist_ok=True)
        done = hub.upload_folder(
            repo_id=name, folder_path=folder, ignore_patterns=LEFT_OUT, commit_message=f"sha256 {sha256}"
        )
    except HFValidationError as error:
        raise BadInput(f"{name} is no name on a hub: {error}") from None
    except OfflineModeIsEnabled:
        raise BadInput("HF_HUB_OFFLINE is set, so that no hub is asked: unset it to push.") from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        mend = "The token may not write there." if code in (401, 403) else "Try again later."
        raise BadInput(f"The hub answered with HTTP {code}. {mend}") from None
    except Exception as error:  # of the hub's own HTTP client, which is another one from version to version
        if not type(error).__module__.startswith("httpx"):
            raise
        raise _unreached(hub.endpoint, error) from None
    return {"repository": name, "commit": done.oid, "url": done.commit_url, "sha256": sha256}


def _unreached(endpoint: str, error: Exception) -> TrainingFailed:
    return TrainingFailed(f"The hub {endpoint} can't be reached ({type(error).__name__}): nothing sure was pushed.")
