"""Pages of other origins and other names: a browser sends what they ask, even to a server that only this machine
reaches."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from primum.server.problems import told

_REFUSED = "Pages of this origin may not call this. PRIMUM_ALLOWED_ORIGINS names those that may."
_NOT_OURS = "This server is not called so. PRIMUM_ALLOWED_HOSTS names the hosts that it answers for."
_READS = ("GET", "HEAD", "OPTIONS")  # of which no browser shows another origin's page the answer


class Origins:
    """Refuses what another origin's page sends: all of it to one path, elsewhere what might change something.

    An allowed origin's page may call that path, and read the answer, too (CORS).
    """

    def __init__(self, app: ASGIApp, path: str, allowed: Collection[str]) -> None:
        self.app = app
        self.path = path
        self.allowed = frozenset(allowed)
        self.crossing = CORSMiddleware(app, list(allowed), allow_methods=["POST"], allow_headers=["*"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origins, guarded = headers.getlist("origin"), scope["path"].rstrip("/") == self.path
        own = not guarded and all(urlsplit(one).netloc == headers.get("host") for one in origins)
        harmless = own or (not guarded and scope["method"] in _READS)
        if not harmless and not self.allowed.issuperset(origins):
            await told(scope["path"], 403, "NotAllowed", _REFUSED)(scope, receive, send)
            return
        await (self.crossing if origins and guarded else self.app)(scope, receive, send)


class Hosts:
    """Refuses, in the API's own form, what comes under another name than ours: its owner may have led that here."""

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self.app = app
        self._check = TrustedHostMiddleware(_pass, list(allowed), www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._check(scope, receive, _unsent)
            if not scope.pop(_PASSED, False):
                await told(scope["path"], 400, "BadInput", _NOT_OURS)(scope, receive, send)
                return
        await self.app(scope, receive, send)


_PASSED = "primum.host"


async def _pass(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope[_PASSED] = True


async def _unsent(_message: Message) -> None: ...
