"""The benchmark of chaos in short: real processes, killed and cut off at random, lose and double nothing."""

import asyncio
import json
import os
import sys

BOUND = 400  # seconds, on a busy machine; processes need most of it to start
DOCUMENTED = {"MemoryUnavailable", "connection"}


async def test_sessions_survive_kills_and_broken_wires() -> None:
    given = ("--seconds", "20", "--sessions", "10", "--pace", "4", "--every", "1.5", "--seed", "2")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.chaos", *given),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(BOUND):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()  # which ends all that it started
            await process.wait()
    told = json.loads(said)
    assert process.returncode == 0 and told["ok"], told
    assert told["checks"] == dict.fromkeys(told["checks"], 0) and len(told["checks"]) >= 16
    assert told["errors"].keys() <= DOCUMENTED
    assert told["faults"] >= 1 and told["turns_answered"] >= 10
