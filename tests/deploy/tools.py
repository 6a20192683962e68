"""Run with the tools of .ci/deploy, not with Primum's environment: JSON on standard input, JSON on standard output."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KUBERNETES = ("1.30.0", "1.37.0")  # whose schemas judge the chart


def chart(values: dict[str, Any]) -> dict[str, Any]:
    """The chart as Helm renders it, judged by Kubernetes' schemas; or why Helm refuses the values."""
    import helm_python
    import kubernetes_validate
    import yaml

    try:
        with helm_python.Chart.load(DEPLOY / "helm" / "primum") as loaded:
            loaded.validate_schema(values)
            rendered = loaded.render(values, name="primum", namespace="care")
    except helm_python.HelmError as error:
        return {"error": str(error)}
    texts = {name: text for name, text in rendered.items() if name.endswith(".yaml")}
    documents = [one for text in texts.values() for one in yaml.safe_load_all(text) if one]
    for document in documents:
        if "monitoring.coreos.com" not in document["apiVersion"]:  # the operator's own, of which no schema is here
            for version in KUBERNETES:
                kubernetes_validate.validate(document, version, strict=True)
    lint = helm_python.lint(DEPLOY / "helm" / "primum", values, strict=True)
    said = [one["error"] for one in lint["messages"] if one["severity"] > 1]
    return {"documents": documents, "lint": [*said, *lint["errors"]]}


def promql(expressions: list[str]) -> list[list[str]]:
    """The metrics that each expression names."""
    import promql_parser

    def names(node: Any) -> Iterator[str]:
        if isinstance(node, promql_parser.VectorSelector):
            yield str(node.name)
        elif isinstance(node, (list, tuple)):
            for one in node:
                yield from names(one)
        else:
            for part in ("expr", "lhs", "rhs", "args", "vector_selector"):
                if (below := getattr(node, part, None)) is not None:
                    yield from names(below)

    return [sorted(set(names(promql_parser.parse(one)))) for one in expressions]


def compose(path: str) -> list[str]:
    """What the Compose specification does not know, or knows otherwise."""
    import yaml
    from compose_spec.models import ComposeSpecification, Service

    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (DEPLOY / path).read_text())
    given = {name: part for name, part in yaml.safe_load(text).items() if not name.startswith("x-")}
    ComposeSpecification.model_validate(given)
    fields = {field.alias or name for name, field in Service.model_fields.items()}
    return [f"{name}.{key}" for name, service in given["services"].items() for key in service if key not in fields]


if __name__ == "__main__":
    asked: dict[str, Callable[[Any], Any]] = {"chart": chart, "promql": promql, "compose": compose}
    json.dump(asked[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
