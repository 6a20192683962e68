"""Pages of other origins: a browser sends what they ask, even to a server that only this machine reaches."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from primum.server.problems import told

_REFUSED = "Pages of this origin may not call this. PRIMUM_ALLOWED_ORIGINS names those that may."


class Origins:
    """Refuses what a page sends to a path, unless its origin is allowed; then it may read the answer, too (CORS)."""

    def __init__(self, app: ASGIApp, path: str, allowed: Collection[str]) -> None:
        self.app = app
        self.path = path
        self.allowed = frozenset(allowed)
        self.crossing = CORSMiddleware(app, list(allowed), allow_methods=["POST"], allow_headers=["*"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != self.path:
            await self.app(scope, receive, send)
            return
        origins = Headers(scope=scope).getlist("origin")
        if not self.allowed.issuperset(origins):
            await told(scope["path"], 403, "NotAllowed", _REFUSED)(scope, receive, send)
            return
        await (self.crossing if origins else self.app)(scope, receive, send)
