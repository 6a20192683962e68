"""The API's description as a page: of our own making, so that it shows without a network and runs no script."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_HERE = Path(__file__).parent / "templates"
_TEMPLATES = Environment(loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_STYLE = (_HERE / "docs.css").read_text()
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def add_docs(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    @app.get("/redoc", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        described = request.app.openapi()
        page = _TEMPLATES.get_template("docs.html").render(
            title=described["info"]["title"],
            version=described["info"]["version"],
            about=described["info"]["description"],
            operations=operations(described),
            style=_STYLE,
        )
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})


def operations(described: dict[str, Any]) -> list[dict[str, Any]]:
    """Each operation of a description, with an example of its body as it is sent."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "told": operation.get("description", operation["summary"]),
            "parameters": operation.get("parameters", []),
            "body": _bodies(operation, described["components"]["schemas"]),
            "responses": operation["responses"],
        }
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]


def _bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    """Examples of the body, by content type."""
    content = operation.get("requestBody", {}).get("content", {})
    return {kind: json.dumps(example(told, schemas), indent=2, ensure_ascii=False) for kind, told in content.items()}


def example(told: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The example of a content's description, or of the model that it names."""
    schema = told["schema"]
    given = schema if "$ref" not in schema else schemas[schema["$ref"].rpartition("/")[2]]
    examples = [*told.get("examples", {}).values(), *({"value": one} for one in given.get("examples", []))]
    return examples[0]["value"]
