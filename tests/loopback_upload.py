"""Files for the loop-back Hub without a client in a process of its own: what a test only needs to be there."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from loopback_hub import TOKENS, LoopbackHub


def upload(
    hub: LoopbackHub,
    repo_id: str,
    files: Mapping[str, bytes | str] | Path | str,
    repo_type: str = "model",
    *,
    private: bool = False,
    branch: str = "main",
    tag: str | None = None,
    token: str = TOKENS["ann"],
) -> str:
    """Commit files (or those of a folder) to a repository, which is made if there is none; gives the commit."""
    if not isinstance(files, Mapping):
        folder = Path(files)
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    namespace, name = repo_id.split("/")
    api = f"/api/{repo_type}s/{repo_id}"
    made = {"name": name, "organization": namespace, "type": repo_type, "private": private}
    _post(hub, "/api/repos/create", made, token, ignore=409)
    quoted = urllib.parse.quote(branch, safe="")
    if branch not in hub.repo(repo_id, repo_type).branches:
        _post(hub, f"{api}/branch/{quoted}", {}, token)
    lines = [{"key": "header", "value": {"summary": "Upload for a test"}}]
    for path, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        value = {"path": path, "content": base64.b64encode(raw).decode(), "encoding": "base64"}
        lines.append({"key": "file", "value": value})
    _post(hub, f"{api}/commit/{quoted}", "\n".join(map(json.dumps, lines)), token)
    if tag:
        _post(hub, f"{api}/tag/{quoted}", {"tag": tag}, token)
    return hub.head(repo_id, repo_type, branch)


def _post(hub: LoopbackHub, path: str, body: object, token: str, ignore: int | None = None) -> None:
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(hub.url + path, data, {"Authorization": f"Bearer {token}"})
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != ignore:
            raise
