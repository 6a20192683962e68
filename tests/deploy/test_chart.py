"""deploy/helm/primum as Helm renders it, under the rules that a cluster of patients' data is held to."""

import ipaddress
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from jsonschema import Draft7Validator

from primum import __version__
from primum.graph.settings import Settings
from primum.server.cli import app
from tests.deploy.conftest import Tools

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/primum"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
ADAPTER: dict[str, Any] = yaml.safe_load((CHART.parent / "prometheus-adapter.yaml").read_text())["rules"]
if not (ROOT / ".ci").exists():
    pytest.skip("an sdist has no .ci", allow_module_level=True)
SCRIPT = runpy.run_path(str(ROOT / ".ci/chart"))
FULL: dict[str, Any] = {
    "image": {"digest": "sha256:" + "0" * 64},
    "ingress": {"enabled": True, "apiHost": "api.care.example", "pageHost": "care.example"},
    "api": {"autoscaling": {"runningTurns": 20, "seconds": 12.5}},
    "worker": {"autoscaling": {"enabled": True}},
    "directSecret": "primum-direct",
    "networkPolicy": {
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "outside": {"enabled": True},
    },
    "settings": {
        "PRIMUM_EMBEDDER_URL": "http://embedder:8001/v1",
        "PRIMUM_SENSES_URL": "https://senses.care.example:8002/v1",
        "PRIMUM_OTLP_URL": "http://otel:4318",
    },
    "metrics": {"monitor": True, "rules": True, "dashboard": True, "labels": {"release": "prometheus"}},
}
SMALL: dict[str, Any] = {
    "model": {"enabled": False, "url": "https://gpu.care.example:8443/v1"},
    "page": {"enabled": False},
    "starter": False,
    "backup": {"enabled": False},
    "api": {"autoscaling": {"enabled": False}},
}
REPLICAS: dict[str, Any] = {"model": {"replicas": 2}}
COMPONENTS = {"api", "worker", "page", "model", "migrate", "library", "backup"}  # and the router, before several models
INGRESS = {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]}
WORKLOADS = {"Deployment", "StatefulSet", "Job", "CronJob"}
Documents = list[dict[str, Any]]


class Rendered:
    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        found = [one for one in self.documents if one["kind"] == kind]
        return {one["metadata"]["name"].removeprefix("primum-"): one for one in found}

    def templates(self) -> dict[str, dict[str, Any]]:
        """What pods are made from, by the names of what makes them."""
        specs = {one["metadata"]["name"]: one.get("spec", {}) for one in self.documents if one["kind"] in WORKLOADS}
        jobs = {name: spec.get("jobTemplate", {}).get("spec", spec) for name, spec in specs.items()}
        return {name: spec["template"] for name, spec in jobs.items()}

    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods' specs by the names of what makes them, which are their components but for one."""
        return {name.removeprefix("primum-"): one["spec"] for name, one in self.templates().items()}


def rendered(tools: Tools, values: dict[str, Any]) -> Rendered:
    answer = tools("chart", values)
    assert "error" not in answer, answer
    assert answer["lint"] == []
    return Rendered(answer["documents"])


@pytest.fixture(scope="module")
def plain(tools: Tools) -> Rendered:
    return rendered(tools, {})


@pytest.fixture(scope="module")
def full(tools: Tools) -> Rendered:
    return rendered(tools, FULL)


@pytest.fixture(scope="module")
def small(tools: Tools) -> Rendered:
    return rendered(tools, SMALL)


@pytest.fixture(scope="module")
def replicas(tools: Tools) -> Rendered:
    return rendered(tools, REPLICAS)


def test_the_values_fit_their_schema_and_name_settings() -> None:
    Draft7Validator.check_schema(SCHEMA.schema)
    assert list(SCHEMA.iter_errors(VALUES)) == []
    assert set(VALUES) <= SCHEMA.schema["properties"].keys() <= {*VALUES, "global"}
    wrong: Documents = [
        {"apii": {}},
        {"settings": {"PRIMUM_SECRET": "s"}},
        {"settings": {"PRIMUM_TYPO": "XX"}},
        {"settings": {"PRIMUM_AUTH": "nonsense"}},
        {"settings": {"PRIMUM_MAX_REVISIONS": "many"}},
        {"settings": {"PRIMUM_MAX_REVISIONS": 9}},
        {"settings": {"PRIMUM_LITERATURE": "pubmed,pubmet"}},
        {"settings": {"PRIMUM_API_PORT": 9000}},
        {"model": {**VALUES["model"], "profile": "x"}},
        {"api": {**VALUES["api"], "resources": {"limits": {"memory": "4 gigs"}}}},
        {"api": {**VALUES["api"], "resources": {"limit": {"memory": "4Gi"}}}},
        {"backup": {**VALUES["backup"], "schedule": "nightly"}},
    ]
    assert [one for one in wrong if not list(SCHEMA.iter_errors({**VALUES, **one}))] == []
    right: Documents = [
        {"settings": {"PRIMUM_MAX_REVISIONS": 1, "PRIMUM_LITERATURE": "pubmed, web", "PRIMUM_WORK": "true"}},
        {"settings": {"PRIMUM_MAX_REVISIONS": "1", "PRIMUM_TURN_TIMEOUT": 90.5, "PRIMUM_WORK": True}},
        {
            "api": {
                **VALUES["api"],
                "resources": {"requests": {"cpu": "1500m", "memory": "0.5Gi"}, "limits": {"cpu": 2}},
            }
        },
        {"backup": {**VALUES["backup"], "schedule": "30 1-5/2 * * MON,THU"}},
    ]
    assert [one for one in right if list(SCHEMA.iter_errors({**VALUES, **one}))] == []


def test_its_settings_are_the_programs_without_secrets_and_without_what_the_chart_says_itself() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    own = SCRIPT["CHARTS"]
    told = {name.removeprefix("PRIMUM_").lower() for name in SCHEMA.schema["properties"]["settings"]["properties"]}
    assert told == Settings.model_fields.keys() - secret - own and own < Settings.model_fields.keys()
    assert SCHEMA.schema["properties"]["settings"] == SCRIPT["settings"](), "run .ci/chart"
    done = subprocess.run([sys.executable, ROOT / ".ci/chart", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_chart_and_program_are_of_one_version_and_the_profiles_are_those_of_one_machine() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    files = {path.stem for path in (CHART / "profiles").glob("*.yaml")}
    assert set(SCHEMA.schema["properties"]["model"]["properties"]["profile"]["enum"]) == files - {"nodes", "laptop-cpu"}
    for name in ("alerts.yaml", "dashboard.json", "profiles", "router.cfg"):
        assert (CHART / name).is_symlink() and (CHART / name).exists()


@pytest.mark.parametrize("which", ["plain", "full", "small", "replicas"])
def test_no_container_can_do_more_than_it_must(which: str, request: pytest.FixtureRequest) -> None:
    pods = request.getfixturevalue(which).pods()
    more = {"removals"} | ({"router"} if which == "replicas" else set())
    assert {"api", "worker", "migrate"} <= pods.keys() <= COMPONENTS | more
    for pod in pods.values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not any("hostPath" in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]["cpu"]
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted == {volume["name"] for volume in pod["volumes"]} | (mounted & {"models"})
        ends = pod.get("restartPolicy") == "Never"
        assert ends == (not pod["containers"][0].get("livenessProbe"))


@pytest.mark.parametrize("which", ["plain", "full", "small", "replicas"])
def test_what_runs_on_is_probed_in_three_ways_and_may_be_moved_one_by_one(
    which: str, request: pytest.FixtureRequest
) -> None:
    chart: Rendered = request.getfixturevalue(which)
    pods = chart.pods()
    for name in pods.keys() - {"migrate", "library", "backup", "removals"}:
        (container,) = pods[name]["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()
        assert len(pods[name]["topologySpreadConstraints"]) == 2
    budgets = chart.of("PodDisruptionBudget")
    assert budgets.keys() == {"api", "worker", "page", "router"} & pods.keys()
    assert all(budget["spec"]["maxUnavailable"] == 1 for budget in budgets.values())
    assert pods["api"]["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert pods["api"]["containers"][0]["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_a_service_a_budget_and_a_policy_select_the_pods_that_they_are_for(full: Rendered) -> None:
    labels = {name: one["metadata"]["labels"] for name, one in full.templates().items()}
    for kind in ("Service", "PodDisruptionBudget", "NetworkPolicy", "Deployment", "StatefulSet"):
        for found in full.of(kind).values():
            spec, name = found["spec"], found["metadata"]["name"]
            chosen = spec.get("podSelector", spec.get("selector"))
            wanted = chosen.get("matchLabels", chosen)
            hit = {one for one, its in labels.items() if wanted.items() <= its.items()}
            several = {"primum": labels.keys(), "primum-backup": {"primum-backup", "primum-removals"}}
            assert hit == (several.get(name, {name}) if kind == "NetworkPolicy" else {name}), (kind, name)


def test_every_setting_that_it_gives_is_one_and_no_secret_is_in_the_environment(full: Rendered) -> None:
    for name, pod in full.pods().items():
        for container in pod["containers"]:
            given = [entry["name"] for entry in container.get("env", [])]
            ours = {one.removeprefix("PRIMUM_").lower() for one in given if one.startswith("PRIMUM_")}
            assert ours <= Settings.model_fields.keys() and len(given) == len(set(given))
            assert not ours & {"database_url", "secret", "model_key"}
            secret = [mount for mount in container["volumeMounts"] if mount["name"] == "secrets"]
            assert bool(secret) == (name not in ("page", "model"))
            assert all(mount["mountPath"] == "/run/secrets" and mount["readOnly"] for mount in secret)
    api = {entry["name"]: entry.get("value") for entry in full.pods()["api"]["containers"][0]["env"]}
    assert api["PRIMUM_AUTH"] == "required" and api["PRIMUM_WORK"] == "false"
    hosts = json.loads(api["PRIMUM_ALLOWED_HOSTS"])
    assert {"localhost", "$(POD_IP)", "primum-api", "api.care.example"} <= set(hosts) and "*" not in hosts


def ports(rules: Documents) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_nothing_comes_in_or_goes_out_but_what_is_needed(plain: Rendered, full: Rendered, small: Rendered) -> None:
    rules = plain.of("NetworkPolicy")
    assert rules.keys() == {"primum"} | COMPONENTS
    assert all(rule["spec"]["policyTypes"] == ["Ingress", "Egress"] for rule in rules.values())
    out = {name: ports(rule["spec"].get("egress", [])) for name, rule in rules.items()}
    needed = {"primum": {53}, "api": {5432, 8000}, "worker": {5432, 8000}, "migrate": {5432}, "library": {5432}}
    assert out == {**needed, "page": {8400}, "model": {443}, "backup": {5432}}
    comes = {name: ports(rule["spec"].get("ingress", [])) for name, rule in rules.items()}
    assert comes == {name: {"api": {8400}, "model": {8000}}.get(name, set()) for name in rules}
    for policy in full.of("NetworkPolicy").values():
        for rule in policy["spec"].get("egress", []):
            if ports([rule]) == {443}:
                (public,) = rule["to"]
                assert "169.254.0.0/16" in public["ipBlock"]["except"] and "10.0.0.0/8" in public["ipBlock"]["except"]
    opened = {name: ports(rule["spec"].get("egress", [])) for name, rule in full.of("NetworkPolicy").items()}
    assert opened["api"] == opened["worker"] == {5432, 8000, 8001, 8002, 4318, 443}
    assert opened["library"] == {5432, 8001} and opened["migrate"] == opened["backup"] == {5432}
    assert ports(small.of("NetworkPolicy")["worker"]["spec"]["egress"]) == {5432, 8443}
    assert ports(full.of("NetworkPolicy")["page"]["spec"]["ingress"]) == {8501}
    assert small.of("NetworkPolicy").keys() == {"primum", "api", "worker", "migrate", "library"}


def test_names_are_asked_where_the_cluster_answers_and_services_where_they_are(tools: Tools) -> None:
    dns = {"to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}], "port": 5353}
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "telemetry"}}}]
    for url, port in (("http://gpu/v1", 80), ("https://gpu/v1", 443), ("http://gpu:9000/v1", 9000)):
        values = {
            "model": {"enabled": False, "url": url},
            "settings": {"PRIMUM_OTLP_URL": "http://otel:4318"},
            "networkPolicy": {"dns": dns, "services": {"to": peers}},
        }
        rules = rendered(tools, values).of("NetworkPolicy")
        (names,) = rules["primum"]["spec"]["egress"]
        assert names["to"] == dns["to"] and ports([names]) == {5353}
        out = {one["ports"][0]["port"]: one.get("to") for one in rules["api"]["spec"]["egress"]}
        assert out.pop(5432) and out == {port: None, 4318: peers}


def test_a_database_that_is_not_named_is_looked_for_near_by_alone(plain: Rendered, tools: Tools) -> None:
    for name in ("api", "worker", "migrate", "library", "backup"):
        (rule,) = [one for one in plain.of("NetworkPolicy")[name]["spec"]["egress"] if ports([one]) == {5432}]
        pods, *blocks = rule["to"]
        assert pods == {"namespaceSelector": {}}
        near = [ipaddress.ip_network(block["ipBlock"]["cidr"]) for block in blocks]
        assert len(near) == 5 and not any(network.is_global for network in near)
    peers = [{"ipBlock": {"cidr": "203.0.113.7/32"}}]
    named = rendered(tools, {"networkPolicy": {"database": {"to": peers, "port": 6432}}}).of("NetworkPolicy")
    assert {"to": peers, "ports": [{"port": 6432}]} in named["backup"]["spec"]["egress"]


def test_weights_that_are_there_close_the_model_servers_way_out(tools: Tools) -> None:
    closed = rendered(tools, {"model": {"download": False}})
    assert "egress" not in closed.of("NetworkPolicy")["model"]["spec"]
    environment = {one["name"]: one.get("value") for one in closed.pods()["model"]["containers"][0]["env"]}
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_the_tables_are_brought_up_before_and_the_library_is_read_after(plain: Rendered, small: Rendered) -> None:
    jobs = plain.of("Job")
    hooks = {name: job["metadata"]["annotations"]["helm.sh/hook"] for name, job in jobs.items()}
    assert hooks == {"migrate": "pre-install,pre-upgrade", "library": "post-install"}
    # Nothing of the release is there yet when a hook before the installation runs.
    spec = jobs["migrate"]["spec"]["template"]["spec"]
    assert secret_of(spec) == "primum"
    assert spec["serviceAccountName"] == "default" and "configMap" not in json.dumps(spec)
    assert spec["containers"][0]["args"] == ["db", "upgrade"]
    assert small.of("Job").keys() == {"migrate"}


def test_the_model_server_gets_the_profile_its_gpus_and_the_key(tools: Tools) -> None:
    chart = rendered(tools, {"model": {"profile": "gpus-4-one"}})
    profile = chart.of("ConfigMap")["model"]["data"]["profile.yaml"]
    assert yaml.safe_load(profile) == yaml.safe_load((CHART / "profiles/gpus-4-one.yaml").read_text())
    pod = chart.pods()["model"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 4 and pod["nodeSelector"] and pod["tolerations"]
    key = {one["name"]: one for one in container["env"]}["VLLM_API_KEY"]["valueFrom"]["secretKeyRef"]
    assert key == {"name": "primum", "key": "primum_model_key"}


def secret_of(pod: dict[str, Any]) -> str:
    return next(str(volume["secret"]["secretName"]) for volume in pod["volumes"] if volume["name"] == "secrets")


def test_what_a_pooler_is_in_the_way_of_is_given_the_other_address(full: Rendered) -> None:
    given = {name: secret_of(pod) for name, pod in full.pods().items() if name not in ("page", "model")}
    direct = {"migrate", "backup", "removals"}
    assert given == {name: "primum-direct" if name in direct else "primum" for name in given} and direct < given.keys()


def test_every_night_all_rows_and_every_few_minutes_what_was_removed_go_into_a_claim_that_stays(
    plain: Rendered, small: Rendered, tools: Tools
) -> None:
    jobs = plain.of("CronJob")
    assert {name: job["spec"]["schedule"] for name, job in jobs.items()} == {
        "backup": VALUES["backup"]["schedule"],
        "removals": VALUES["backup"]["removals"],
    }
    claim = plain.of("PersistentVolumeClaim")["backup"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    pods = plain.pods()
    for name in jobs:
        (container,) = pods[name]["containers"]
        command: Any = typer.main.get_command(app)
        words = list(container["args"])
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context(command.name, list(words))
        (mount,) = [one for one in container["volumeMounts"] if one["name"] == "backups"]
        assert words[0].startswith(mount["mountPath"]) and jobs[name]["spec"]["concurrencyPolicy"] == "Forbid"
        assert {"name": "backups", "persistentVolumeClaim": {"claimName": "primum-backup"}} in pods[name]["volumes"]
    assert pods["backup"]["containers"][0]["args"][-2:] == ["--keep", str(VALUES["backup"]["keep"])]
    assert not small.of("CronJob") and not small.of("PersistentVolumeClaim")
    own = rendered(tools, {"backup": {"storage": {"existingClaim": "elsewhere"}}})
    assert not own.of("PersistentVolumeClaim") and own.pods()["backup"]["volumes"][-1] == {
        "name": "backups",
        "persistentVolumeClaim": {"claimName": "elsewhere"},
    }


@pytest.mark.parametrize("name", ["gpu-24gb", "gpu-80gb", "gpus-4-one", "gpus-4-replicas"])
def test_a_profile_gets_as_many_gpus_as_it_shares_out_and_room_for_its_weights_twice(name: str, tools: Tools) -> None:
    profile = yaml.safe_load((CHART / f"profiles/{name}.yaml").read_text())
    replicas = 2 if name == "gpus-4-replicas" else 1
    chart = rendered(tools, {"model": {"profile": name, "replicas": replicas}})
    gpus = 1
    for kind in ("tensor", "data", "pipeline"):
        gpus *= profile.get(f"{kind}-parallel-size", 1)
    assert chart.pods()["model"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == gpus
    (claim,) = chart.of("StatefulSet")["model"]["spec"]["volumeClaimTemplates"]
    room = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi")) * 2**30
    found = re.search(r"-(\d+)B(-AWQ|-FP8)?$", profile["model"])
    assert found is not None
    weights = int(found[1]) * 1e9 * {"-AWQ": 0.75, "-FP8": 1.1, None: 2.1}[found[2]]  # bytes, scales and norms included
    assert room > 2 * weights
    assert gpus * replicas == (4 if name.startswith("gpus-4") else 1)
    given = rendered(tools, {"model": {"profile": name, "replicas": replicas, "storage": {"size": "500Gi"}}})
    (claim,) = given.of("StatefulSet")["model"]["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "500Gi"


def test_several_model_servers_are_asked_through_the_router_alone(replicas: Rendered, plain: Rendered) -> None:
    (container,) = replicas.pods()["router"]["containers"]
    assert replicas.of("ConfigMap")["router"]["data"]["router.cfg"] == (CHART / "router.cfg").read_text()
    assert container["env"] == [{"name": "MODEL_HOST", "value": "primum-model.care.svc.cluster.local"}]
    assert replicas.of("StatefulSet")["model"]["spec"]["replicas"] == 2
    assert replicas.of("Service")["model"]["spec"]["clusterIP"] == "None"  # a name for each one's address
    for chart, asked in ((replicas, "router"), (plain, "model")):
        for name in ("api", "worker"):
            env = {entry["name"]: entry.get("value") for entry in chart.pods()[name]["containers"][0]["env"]}
            assert env["PRIMUM_MODEL_URL"] == f"http://primum-{asked}:8000/v1"
            assert asked in reached(chart, name, 8000)
    assert reached(replicas, "router", 8000) == {"model"} and "router" not in plain.pods()
    (comes,) = replicas.of("NetworkPolicy")["model"]["spec"]["ingress"]
    assert [component(peer) for peer in comes["from"]] == ["router"]


def component(peer: dict[str, Any]) -> str:
    return str(peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"])


def reached(chart: Rendered, name: str, port: int) -> set[str]:
    """The components that a policy lets another ask at a port."""
    rules = chart.of("NetworkPolicy")[name]["spec"]["egress"]
    return {component(peer) for rule in rules if ports([rule]) == {port} for peer in rule["to"]}


def asked(chart: Rendered, name: str) -> dict[str, tuple[str, str]]:
    """What an autoscaler looks at: the kind and the target of each metric."""
    found = {}
    for one in chart.of("HorizontalPodAutoscaler")[name]["spec"]["metrics"]:
        its = one[one["type"].lower()]
        metric = its["name"] if "name" in its else its["metric"]["name"]
        found[metric] = (one["type"], str(its["target"].get("averageValue", its["target"].get("averageUtilization"))))
    return found


def test_it_scales_by_processor_and_where_asked_by_turns_times_and_jobs(
    plain: Rendered, full: Rendered, small: Rendered
) -> None:
    assert asked(plain, "api") == {"cpu": ("Resource", "70")} and "worker" not in plain.of("HorizontalPodAutoscaler")
    assert asked(full, "api") == {
        "cpu": ("Resource", "70"),
        "primum_running_turns": ("Pods", "20"),
        "primum_turn_seconds_p95": ("Pods", "12.5"),
    }
    assert asked(full, "worker") == {"primum_waiting_jobs": ("External", "20")}
    assert "replicas" not in full.of("Deployment")["worker"]["spec"]
    assert plain.of("Deployment")["worker"]["spec"]["replicas"] == 1
    assert "replicas" not in plain.of("Deployment")["api"]["spec"]
    assert small.of("HorizontalPodAutoscaler") == {} and small.of("Deployment")["api"]["spec"]["replicas"] == 2


def test_the_adapter_serves_what_the_autoscalers_ask_for(full: Rendered) -> None:
    served = {
        kind: {rule.get("name", {}).get("as") or rule["seriesQuery"].partition("{")[0] for rule in ADAPTER[which]}
        for kind, which in (("Pods", "custom"), ("External", "external"))
    }
    wanted = {(kind, name) for part in ("api", "worker") for name, (kind, _) in asked(full, part).items()}
    assert {(kind, name) for kind, names in served.items() for name in names} == wanted - {("Resource", "cpu")}


def test_what_is_off_is_not_there_and_what_is_on_is_the_same_as_in_compose(plain: Rendered, full: Rendered) -> None:
    off = {"Ingress", "ServiceMonitor", "PrometheusRule"}
    assert not off & {one["kind"] for one in plain.documents} and off <= {one["kind"] for one in full.documents}
    deploy = CHART.parents[1]
    alerts = yaml.safe_load((deploy / "prometheus/alerts.yaml").read_text())
    assert full.of("PrometheusRule")["primum"]["spec"] == alerts
    shown = full.of("ConfigMap")["dashboard"]["data"]["primum.json"]
    assert json.loads(shown) == json.loads((deploy / "grafana/dashboard.json").read_text())
    assert full.pods()["api"]["containers"][0]["image"] == f"primum@sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": {"enabled": False}}, "model.url"),
        ({"settings": {"PRIMUM_SECRET": "s"}}, "PRIMUM_SECRET"),
        ({"settings": {"PRIMUM_TYPO": "XX"}}, "PRIMUM_TYPO"),
        ({"ingress": {"enabled": True}, "networkPolicy": INGRESS}, "ingress.apiHost"),
        ({"api": {"replicas": 0}}, "replicas"),
        ({"api": {"resources": {"limits": {"memory": "4 gigs"}}}}, "memory"),
        ({"model": {"gpus": 4}}, "gpus"),
    ],
)
def test_values_that_can_not_work_are_refused_by_name(values: dict[str, Any], said: str, tools: Tools) -> None:
    assert said in tools("chart", values)["error"]


def test_values_that_can_not_work_together_are_refused_at_once_and_told_how_to_mend_them(tools: Tools) -> None:
    login = {"PRIMUM_AUTH": "open", "PRIMUM_OIDC_ISSUER": "https://login.example", "PRIMUM_LITERATURE": "pubmed"}
    values: dict[str, Any] = {
        "settings": login,
        "api": {"replicas": 10},
        "worker": {"replicas": 5, "autoscaling": {"enabled": True}},
        "model": {"profile": "gpus-4-replicas"},
        "ingress": {"enabled": True, "apiHost": "a.example", "pageHost": "b.example"},
        "metrics": {"monitor": True},
    }
    error = tools("chart", values)["error"]
    for said in (
        "api.replicas (10) is more than api.autoscaling.maxReplicas (8)",
        "worker.replicas (5) is more than worker.autoscaling.maxReplicas (4)",
        "settings.PRIMUM_AUTH: open",
        "model.replicas=2",
        "settings.PRIMUM_OIDC_ISSUER: it is outside",
        "settings.PRIMUM_LITERATURE: it is outside",
        "networkPolicy.outside.enabled=true",
        "networkPolicy.metricsFrom",
        "networkPolicy.from",
    ):
        assert said in error


def test_values_that_are_right_again_with_what_the_refusal_says_are_taken(tools: Tools) -> None:
    values: dict[str, Any] = {
        "settings": {"PRIMUM_OIDC_ISSUER": "https://login.example", "PRIMUM_LITERATURE": "pubmed,web"},
        "api": {"replicas": 10, "autoscaling": {"maxReplicas": 10}},
        "ingress": {"enabled": True, "apiHost": "a.example", "pageHost": "b.example"},
        "metrics": {"monitor": True},
        "networkPolicy": {"enabled": False},
    }
    assert rendered(tools, values).of("Ingress")
    opened = {**INGRESS, "metricsFrom": INGRESS["from"], "outside": {"enabled": True}}
    assert rendered(tools, {**values, "networkPolicy": opened}).of("Ingress")
