"""Has the installed vLLM read every profile, by the parser and the checks that `vllm serve` uses.

Run by the Python of vLLM's environment: .ci/profiles.py FILE.yaml …
"""

import dataclasses
import sys

import vllm
from vllm.config import SpeculativeConfig
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.reasoning import ReasoningParserManager
from vllm.tool_parsers import ToolParserManager
from vllm.utils.argparse_utils import FlexibleArgumentParser

if not sys.argv[1:]:
    sys.exit("no profile is given")
for file in sys.argv[1:]:
    # No short forms: a misspelt flag would be taken for the one that it begins.
    parser = make_arg_parser(FlexibleArgumentParser(allow_abbrev=False))
    told = parser.parse_args(["--config", file])
    validate_parsed_serve_args(told)
    engine = AsyncEngineArgs.from_cli_args(told)
    ToolParserManager.get_tool_parser(told.tool_call_parser)
    if told.reasoning_parser:
        ReasoningParserManager.get_reasoning_parser(told.reasoning_parser)
    known = {field.name for field in dataclasses.fields(SpeculativeConfig)}
    if unknown := set(told.speculative_config or {}) - known:
        sys.exit(f"{file}: speculative-config has no {', '.join(sorted(unknown))}")
    devices = engine.tensor_parallel_size * engine.pipeline_parallel_size * engine.data_parallel_size
    print(f"{file}: {engine.model} on {devices} devices, read by vLLM {vllm.__version__}")
