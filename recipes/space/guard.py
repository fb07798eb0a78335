"""The door of the server: requests that the page does not need are refused, and large ones are not read.

Gradio's server takes file uploads from anyone, whatever its page shows, and stores them. It also stores a copy of a
session on request (`deep_link`). This page needs neither.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gradio.route_utils import FnIndexInferError
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What the page and the clients of its API send: a job, a job too quick for the queue, the end of a job or a visit.
_SENT = re.compile(r"/gradio_api/(queue/join|run/predict|cancel|reset|call/(v2/)?[\w-]+)/?")
_STORING = re.compile(r"/gradio_api/(deep_link|upload_progress)/?")
_WRONG_CALL = (TypeError, KeyError, FnIndexInferError)
_READING = ("GET", "HEAD", "OPTIONS")


class Guard:
    """ASGI middleware that lets through what the page needs.

    Args:
        app (`ASGIApp`): The server behind it.
        largest (`int`): Largest body of a request, in bytes.
    """

    def __init__(self, app: ASGIApp, largest: int) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            # There are no WebSockets here; what remains is the server's own start and end.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        path, reads = scope["path"].removeprefix(scope.get("root_path", "")), scope["method"] in _READING
        if _STORING.fullmatch(path) or not (reads or _SENT.fullmatch(path)):
            await _refuse(send, 403, "This page takes text only: it accepts no files and stores nothing.")
            return
        body = b"" if reads else await self._body(scope, receive)
        if body is None:
            await _refuse(send, 413, f"This request is larger than {self.largest:,} bytes.")
            return
        await self.app(scope, receive if reads else _replaying(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """Read a request's body; None as soon as it is known to be too large."""
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self.largest:
            return None
        body = bytearray()
        # A client need not say how long its body is, so what comes is counted.
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self.largest:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def guarding(largest: int) -> dict[str, Any]:
    """Return the settings of a server behind a :class:`Guard`, as Gradio's `app_kwargs`."""
    return {
        "middleware": [Middleware(Guard, largest=largest)],
        "exception_handlers": dict.fromkeys(_WRONG_CALL, explain_call),
    }


async def explain_call(request: Request, error: Exception) -> Response:
    """Say what is wrong with a call of the API; any other error is told to nobody, and logged.

    Gradio 6 answers "Internal Server Error" to a call that names an unknown parameter or endpoint, or leaves one out.
    """
    if "/call/" in request.url.path:
        reason = str(error) if isinstance(error, TypeError) else "there is no such endpoint"
        # Gradio's own advice follows its first sentence, and is about a button of another version.
        return JSONResponse({"detail": reason.partition(" Please click")[0]}, 422)
    raise error


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return a function that gives a body that was read already, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(send: Send, status: int, reason: str) -> None:
    """Answer with a reason, and close the connection, so that the rest of the request is not read."""
    content = reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
