"""A real vLLM shows the metrics that deploy/grafana/dashboard.json asks it for."""

import httpx
import pytest

from tests.deploy.test_metrics import VLLM


@pytest.mark.vllm
def test_a_real_vllm_shows_what_the_dashboard_asks_for(pytestconfig: pytest.Config) -> None:
    if (url := pytestconfig.getoption("--vllm-url")) is None:
        pytest.skip("no --vllm-url")
    text = httpx.get(url.removesuffix("/v1") + "/metrics").raise_for_status().text
    assert {name for name in VLLM if f"\n{name}" not in text} == set()
