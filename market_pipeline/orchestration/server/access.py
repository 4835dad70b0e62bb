"""Which requests the web process takes: those of its own pages, and of programs that can name it.

Any page of the web can send requests to 127.0.0.1 from the browser of someone who visits it. Dagster's server takes a
mutation from each of them, also by GET. Knows nothing of Dagster beyond its path `/graphql`.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine; a page whose own name was made to lead to 127.0.0.1 has another."""


def guarded(application: ASGIApp, public_url: str | None = None) -> ASGIApp:
    """The application behind both checks; `public_url` is its address at a reverse proxy."""
    public = [urlsplit(public_url).hostname or ""] if public_url else []
    own_pages = OwnPagesOnly(application, public_url)
    return TrustedHostMiddleware(own_pages, allowed_hosts=[*LOOPBACK, *public], www_redirect=False)


class OwnPagesOnly:
    """An ASGI application that refuses what pages of other sites send, requests and WebSockets alike."""

    def __init__(self, application: ASGIApp, public_url: str | None) -> None:
        """`public_url` is the origin of its pages at a reverse proxy."""
        self.application = application
        self.public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.refusal(scope) if scope["type"] in ("http", "websocket") else None
        await (refusal or self.application)(scope, receive, send)

    def refusal(self, scope: Scope) -> PlainTextResponse | None:
        """The answer to a request that is refused, else None."""
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            return self._foreign(headers)
        if scope["method"] in ("GET", "HEAD"):
            if scope["path"].rstrip("/").endswith("/graphql") and "text/html" not in headers.get("accept", ""):
                return PlainTextResponse("Send GraphQL as POST.", 405, {"Allow": "POST"})
            return None
        if scope["method"] != "POST":
            return PlainTextResponse("Only GET and POST.", 405, {"Allow": "GET, POST"})
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("Send the body as Content-Type: application/json.", 415)
        return self._foreign(headers)

    def _foreign(self, headers: Headers) -> PlainTextResponse | None:
        """The refusal when a browser sends this for a page of another origin; other programs name none."""
        origin = headers.get("origin")
        own = {f"http://{headers.get('host')}", self.public_url}
        site = headers.get("sec-fetch-site", "same-origin")
        if (origin is None or origin in own) and site in ("same-origin", "none"):
            return None
        return PlainTextResponse(
            "This request comes from a page of another address. Behind a reverse proxy, set MARKET_PIPELINE_PUBLIC_URL "
            "to the address that the browser shows, such as https://market.example.com.",
            403,
        )
