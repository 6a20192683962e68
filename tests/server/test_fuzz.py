"""Requests made from the API's own description, good ones and bad ones: none of them breaks it.

FUZZ=100 makes so many of either for each operation, thousands in all; without it a few, so that the suite stays short.
"""

import os
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from primum.graph.settings import Settings
from tests.fakes import FakeVLLM
from tests.served import served

CASES = int(os.environ.get("FUZZ", "6"))
# A broken server is 500; 503 would say that a part is missing, and all of them are there.
SOUND = frozenset({200, 201, 204, 400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 429})


def test_no_request_that_fits_the_description_or_breaks_it_breaks_the_api(settings: Settings, vllm: FakeVLLM) -> None:
    vllm.default = "No."
    made = 0
    with served(settings) as api:
        schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            for mode in GenerationMode:

                @limits(
                    max_examples=CASES,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def one(case: schemathesis.Case[Any]) -> None:
                    nonlocal made
                    made += 1
                    try:
                        response = case.call(base_url=str(api.base_url), timeout=60)
                    except (ValueError, UnicodeError, httpx.InvalidURL):  # no client could send it
                        return
                    told = f"{case.method} {case.path}: {response.status_code} {response.text[:300]}"
                    assert response.status_code in SOUND, told

                try:
                    one()
                except Exception as error:
                    if type(error).__name__ in ("Unsatisfiable", "InvalidSchema"):
                        continue
                    raise
        assert api.get("/health").status_code == 200
    assert made > 20 * CASES
