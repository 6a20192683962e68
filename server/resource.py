"""Where a client finds out whose tokens are taken: OAuth's protected resource metadata (RFC 9728)."""

from starlette.datastructures import URL
from starlette.types import Scope

from primum.graph.settings import Settings

MCP = "/mcp"
WELL_KNOWN = "/.well-known/oauth-protected-resource"


def metadata(settings: Settings, scope: Scope) -> dict[str, object]:
    """What a client is told. What it asks a token for is the audience, if that is an address, or where it found us."""
    audience = settings.oidc_audience
    return {
        "resource": audience if audience.startswith(("https://", "http://")) else _address(scope, MCP),
        "resource_name": "Primum",
        "authorization_servers": [settings.oidc_issuer],
        "bearer_methods_supported": ["header"],
    }


def challenge(scope: Scope) -> str:
    """The header of a refusal that leads to the metadata."""
    return f'Bearer resource_metadata="{_address(scope, WELL_KNOWN + MCP)}"'


def _address(scope: Scope, path: str) -> str:
    return str(URL(scope=scope).replace(path=path, query="", fragment=""))
