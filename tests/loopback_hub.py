"""A Hub on the loop-back address, which the real clients cannot tell from the real one.

It keeps models, datasets and Spaces with commits, branches, tags and private ones; users and organisations with tokens
that may read or write; large files by way of LFS. It can refuse requests and cut connections, and writes down what it
was asked. Clients read their settings once, at import: talk to it from a fresh process (`fresh.run_fresh`) that runs
under `LoopbackHub.environment`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from loopback_repository import Blob, Commit, Repository, is_large

__all__ = ["TOKENS", "Commit", "LoopbackHub", "Repository", "Request", "User"]

# Put together here, so that no scanner takes this file for a leak.
TOKENS = {
    name: f"hf_{name.capitalize()}" + "0123456789abcdefghijklmnopqrstuvwxyz"[: 34 - len(name)]
    for name in ("ann", "bob", "rita", "fine", "nobody")
}
_TYPES = {"models": "model", "datasets": "dataset", "spaces": "space"}
_PLURAL = {kind: plural for plural, kind in _TYPES.items()}
_TRUE = ("true", "1")
# Read once at import by the Hugging Face libraries; each would lead a client elsewhere, or nowhere.
_DROPPED = re.compile(r"(HF_.*|TRANSFORMERS_OFFLINE|HUGGING_?FACE_.*|.*_proxy)", re.IGNORECASE)


@dataclass(frozen=True)
class User:
    """Who a token belongs to, and what it may do."""

    name: str
    role: str = "write"
    orgs: tuple[str, ...] = ()
    scopes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where the user's repositories may live."""
        return (self.name, *self.orgs)

    def may_read(self, repository: Repository) -> bool:
        """Whether the token opens a private repository."""
        if self.role == "fineGrained":
            return bool({"repo.content.read", "repo.write"} & {*self.scopes.get(repository.namespace, ())})
        return repository.namespace in self.namespaces

    def may_write(self, namespace: str) -> bool:
        """Whether the token may make and change repositories of a user or an organisation."""
        if self.role == "fineGrained":
            return "repo.write" in self.scopes.get(namespace, ())
        return self.role == "write" and namespace in self.namespaces


@dataclass(frozen=True)
class Request:
    """One request as it came in. `status` is 0 when the connection was cut."""

    method: str
    path: str
    status: int
    token: bool


@dataclass
class _Fault:
    method: str
    pattern: re.Pattern[str]
    times: int
    status: int | None
    headers: Mapping[str, str]
    cut: bool
    lost: bool


@dataclass(frozen=True)
class _Answer:
    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Call:
    """A request, taken apart for what answers it."""

    method: str
    path: str  # as sent: parts are unquoted one by one, since a revision may hold a slash
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    user: User | None

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            raise _Refusal(400, "Invalid JSON") from None

    def says(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in _TRUE


class _Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, code: str | None = None, **extra: Any) -> None:
        super().__init__(message)
        self.headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.status, self.body = status, {"error": message, **extra}


class LoopbackHub:
    """A Hub in this process; a context manager.

    Example:
        >>> with LoopbackHub() as hub:
        ...     hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        ...     run_fresh(PROGRAM, hub.environment(tmp_path / "home", TOKENS["ann"]), tmp_path)
        ...     assert hub.commits("org/student")[0].title == "Publish"
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.private_namespaces: set[str] = set()  # whose new repositories are private unless told otherwise
        self._users: dict[str, User] = {}
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._large: dict[str, bytes] = {}
        self._faults: list[_Fault] = []
        self._crashes: list[str] = []
        self._lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{port}"
        self._storage = f"http://localhost:{port}/lfs"  # another host by name, as on the Hub: gets no token

    def __enter__(self) -> LoopbackHub:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        if self._crashes and error[0] is None:
            raise AssertionError("the loop-back Hub itself failed:\n" + "\n".join(self._crashes))

    def add_user(
        self,
        name: str,
        token: str,
        *,
        role: str = "write",
        orgs: Iterable[str] = (),
        scopes: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        """Make a token known.

        Args:
            name (`str`): Whose it is.
            token (`str`): The token; any other one is answered with 401.
            role (`str`, *optional*, defaults to `"write"`): `"read"`, `"write"` or `"fineGrained"`.
            orgs (`Iterable[str]`, *optional*): Organisations the user belongs to.
            scopes (`Mapping`, *optional*): For a fine-grained token: the permissions (such as `"repo.write"`) for
                each user or organisation.
        """
        if role not in ("read", "write", "fineGrained"):
            raise ValueError(f"role {role!r}: expected read, write or fineGrained")
        granted = {namespace: tuple(permissions) for namespace, permissions in (scopes or {}).items()}
        self._users[token] = User(name, role, tuple(orgs), granted)

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """The whole environment of a fresh process that talks to this Hub and to nothing else.

        Args:
            home (`Path`): Its Hugging Face home: two processes with one home share a cache.
            token (`str`, *optional*): Its token; without one it is nobody.
        """
        inherited = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
        nowhere = "http://127.0.0.1:9"  # the port of the discard service, on which nothing listens
        return inherited | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            "TQDM_DISABLE": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "NO_PROXY": "127.0.0.1,localhost",
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
            "ALL_PROXY": nowhere,
            **({"HF_TOKEN": token} if token else {}),
        }

    def fail(
        self,
        method: str,
        path_pattern: str,
        *,
        status: int | None = None,
        cut: bool = False,
        lost: bool = False,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Let the next matching requests go wrong, in one of three ways.

        Args:
            method (`str`): Such as `"PUT"`; `"*"` for any.
            path_pattern (`str`): Regular expression that is searched in the path (no host, no query).
            status (`int`, *optional*): Refuse with this status, having done nothing.
            cut (`bool`, *optional*, defaults to `False`): Cut the connection after half of the request's body, or
                before answering where it has none; nothing is done.
            lost (`bool`, *optional*, defaults to `False`): Do what is asked, and cut the connection half-way through
                the answer.
            times (`int`, *optional*, defaults to 1): How many requests.
            headers (`Mapping`, *optional*): Headers of the refusal, such as `Retry-After`.
        """
        if [status is not None, cut, lost].count(True) != 1:
            raise ValueError("give one of status=…, cut=True and lost=True")
        fault = _Fault(method.upper(), re.compile(path_pattern), times, status, dict(headers or {}), cut, lost)
        with self._lock:
            self._faults.append(fault)

    def repo(self, repo_id: str, repo_type: str = "model") -> Repository:
        """A repository as it is now: `private`, `branches` and `tags` (name -> commit), `sdk` of a Space."""
        return self._repositories[repo_type, repo_id]

    def has(self, repo_id: str, repo_type: str = "model") -> bool:
        """Whether there is such a repository."""
        return (repo_type, repo_id) in self._repositories

    def head(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> str:
        """The commit that a revision stands for."""
        return self._commit(repo_id, repo_type, revision).oid

    def commits(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> list[Commit]:
        """The commits of a revision, newest first; the last one is the "initial commit" of `create_repo`."""
        return list(self.repo(repo_id, repo_type).log(self._commit(repo_id, repo_type, revision)))

    def files(self, repo_id: str, repo_type: str = "model", revision: str = "main") -> dict[str, bytes]:
        """Every file of a revision: path and content."""
        return {path: blob.content for path, blob in self._commit(repo_id, repo_type, revision).tree.items()}

    def _commit(self, repo_id: str, repo_type: str, revision: str) -> Commit:
        found = self.repo(repo_id, repo_type).find(revision)
        if found is None:
            raise KeyError(f"{repo_type} {repo_id} has no revision {revision!r}")
        return found

    # What the handler asks.

    def _take_fault(self, method: str, path: str) -> _Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and fault.method in (method, "*") and fault.pattern.search(path):
                    fault.times -= 1
                    return fault
        return None

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> _Answer:
        """Answer a request; never raises."""
        url = urlsplit(target)
        try:
            user = None
            if not url.path.startswith("/lfs/"):  # addresses of large files are their own permission, as on the Hub
                user = self._who(headers)
            call = _Call(method, url.path, parse_qs(url.query), headers, body, user)
            for route_method, pattern, answer in _ROUTES:
                match = re.fullmatch(pattern, url.path)
                if match and method in route_method.split("|"):
                    with self._lock:
                        return answer(self, call, *map(unquote, match.groups(default="")))
            raise _Refusal(404, f"Sorry, we can't find the page you are looking for: {method} {url.path}")
        except _Refusal as refusal:
            return _json(refusal.body, refusal.status, refusal.headers)
        except Exception:
            self._crashes.append(traceback.format_exc())
            return _json({"error": "Internal Error"}, 500)

    def _who(self, headers: Mapping[str, str]) -> User | None:
        sent = headers.get("Authorization")
        if sent is None:
            return None
        user = self._users.get(sent.removeprefix("Bearer "))
        if user is None:
            raise _Refusal(401, "Invalid credentials in Authorization header")
        return user

    def _open(self, call: _Call, plural: str, repo_id: str, *, write: bool = False) -> Repository:
        """The repository that a call is about, if its user may."""
        kind = _TYPES[plural]
        found = self._repositories.get((kind, repo_id))
        if found is None or (found.private and not (call.user and call.user.may_read(found))):
            # Whether it is private or missing is nobody's business. (The real Hub's 401 carries no code; its clients
            # take it for a missing repository by its address, which they recognise under https alone.)
            if call.user is None:
                raise _Refusal(401, "Invalid username or password.", "RepoNotFound")
            raise _Refusal(404, "Repository not found", "RepoNotFound")
        if write:
            self._check_write(call, found.namespace, kind)
        return found

    @staticmethod
    def _check_write(call: _Call, namespace: str, kind: str) -> None:
        if call.user is None:
            raise _Refusal(401, "Invalid username or password.")
        if not call.user.may_write(namespace):
            raise _Refusal(403, f'You don\'t have the rights to write a {kind} under the namespace "{namespace}"')

    @staticmethod
    def _at(repository: Repository, revision: str) -> Commit:
        found = repository.find(revision)
        if found is None:
            raise _Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found

    def _page(self, repository: Repository) -> str:
        prefix = "" if repository.repo_type == "model" else f"{_PLURAL[repository.repo_type]}/"
        return f"{self.url}/{prefix}{repository.repo_id}"

    # Users and repositories.

    def _whoami(self, call: _Call) -> _Answer:
        user = call.user
        if user is None:
            raise _Refusal(401, "Invalid username or password.")
        token: dict[str, Any] = {"displayName": f"{user.name}'s token", "role": user.role}
        if user.role == "fineGrained":
            scoped = [
                {
                    "entity": {"type": "user" if namespace == user.name else "org", "name": namespace},
                    "permissions": list(permissions),
                }
                for namespace, permissions in user.scopes.items()
            ]
            token["fineGrained"] = {"canReadGatedRepos": False, "global": [], "scoped": scoped}
        return _json(
            {
                "type": "user",
                "id": hashlib.sha1(user.name.encode()).hexdigest()[:24],
                "name": user.name,
                "fullname": user.name.capitalize(),
                "isPro": False,
                "orgs": [
                    {"type": "org", "name": org, "fullname": org, "roleInOrg": "write", "isEnterprise": False}
                    for org in user.orgs
                ],
                "auth": {"type": "access_token", "accessToken": token},
            }
        )

    def _create(self, call: _Call) -> _Answer:
        wanted = call.json()
        kind = wanted.get("type") or "model"
        if call.user is None:
            raise _Refusal(401, "Invalid username or password.")
        namespace = wanted.get("organization") or call.user.name
        if kind not in _PLURAL or not re.fullmatch(r"[\w.-]{1,96}", wanted.get("name") or ""):
            raise _Refusal(400, "Invalid repository type or name")
        self._check_write(call, namespace, kind)
        repo_id = f"{namespace}/{wanted['name']}"
        known = self._repositories.get((kind, repo_id))
        if known is not None:
            raise _Refusal(409, f"You already created this {kind} repo: {repo_id}", url=self._page(known))
        private = namespace in self.private_namespaces
        if "visibility" in wanted or "private" in wanted:  # older clients say private: true
            private = wanted.get("visibility") == "private" or wanted.get("private") is True
        made = Repository(repo_id, kind, private)
        tree = {".gitattributes": Blob(b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n")}
        if kind == "space":
            made.sdk = wanted.get("sdk")
            if made.sdk not in ("gradio", "docker", "static"):
                raise _Refusal(400, "Invalid sdk for a Space: expected gradio, docker or static")
            tree["README.md"] = Blob(f"---\ntitle: {wanted['name']}\nsdk: {made.sdk}\n---\n".encode())
        made.commit("main", tree, call.user.name, "initial commit")
        self._repositories[kind, repo_id] = made
        return _json({"url": self._page(made), "name": repo_id, "id": repo_id})

    def _delete(self, call: _Call) -> _Answer:
        wanted = call.json()
        namespace = wanted.get("organization") or (call.user.name if call.user else "")
        plural = _PLURAL[wanted.get("type") or "model"]
        found = self._open(call, plural, f"{namespace}/{wanted['name']}", write=True)
        del self._repositories[found.repo_type, found.repo_id]
        return _Answer(b"OK")

    def _validate(self, call: _Call) -> _Answer:
        errors: list[str] = []
        warnings: list[str] = []
        try:
            metadata = _front_matter(call.json()["content"])
            if metadata is None:
                warnings.append("empty or missing yaml metadata in repo card")
            elif not isinstance(metadata, dict):
                errors.append("metadata must be a mapping")
        except yaml.YAMLError as error:
            errors.append(str(error))
        answer = {
            "errors": [{"message": message} for message in errors],
            "warnings": [{"message": message} for message in warnings],
        }
        return _json(answer, 400 if errors else 200)

    def _settings(self, call: _Call, plural: str, repo_id: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        wanted = call.json()
        if "visibility" in wanted or "private" in wanted:
            found.private = wanted.get("visibility") == "private" or wanted.get("private") is True
        return _json({"private": found.private, "visibility": "private" if found.private else "public"})

    def _check_access(self, call: _Call, plural: str, repo_id: str, write: str) -> _Answer:
        self._open(call, plural, repo_id, write=bool(write))
        return _Answer(b"OK")

    # Looking at a repository.

    def _info(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id)
        commit = self._at(found, revision or "main")
        first = list(found.log(commit))[-1]
        siblings: list[dict[str, Any]] = []
        for path, blob in sorted(commit.tree.items()):
            siblings.append({"rfilename": path})
            if call.says("blobs"):
                siblings[-1] |= {"size": len(blob.content), "blobId": blob.oid}
                if blob.large:
                    siblings[-1]["lfs"] = {
                        "sha256": blob.sha256,
                        "size": len(blob.content),
                        "pointerSize": len(blob.pointer),
                    }
        card = commit.tree.get("README.md")
        try:
            metadata = _front_matter(card.content.decode()) if card else None
        except (yaml.YAMLError, UnicodeDecodeError):
            metadata = None
        metadata = metadata if isinstance(metadata, dict) else {}
        whole = {
            "author": found.namespace,
            "sha": commit.oid,
            "lastModified": commit.date,
            "createdAt": first.date,
            "private": found.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [str(tag) for tag in metadata.get("tags") or ()],
            "cardData": metadata,
            "siblings": siblings,
        }
        if found.repo_type == "model":
            whole |= {"modelId": repo_id, "pipeline_tag": metadata.get("pipeline_tag")}
        if found.repo_type == "space":
            whole |= {"sdk": found.sdk}
        wanted = {*call.query.get("expand", ()), *call.query.get("expand[]", ())}
        return _json({"id": repo_id} | {key: value for key, value in whole.items() if not wanted or key in wanted})

    def _refs(self, call: _Call, plural: str, repo_id: str) -> _Answer:
        found = self._open(call, plural, repo_id)

        def listed(names: Mapping[str, str], kind: str) -> list[dict[str, str]]:
            return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in names.items()]

        return _json(
            {
                "branches": listed(found.branches, "heads"),
                "tags": listed(found.tags, "tags"),
                "converts": [],
                "pullRequests": [],
            }
        )

    def _log(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id)
        return _json(
            [
                {
                    "id": commit.oid,
                    "title": commit.title,
                    "message": commit.description,
                    "date": commit.date,
                    "authors": [{"user": commit.author}],
                }
                for commit in found.log(self._at(found, revision))
            ]
        )

    def _tree(self, call: _Call, plural: str, repo_id: str, revision: str, folder: str) -> _Answer:
        found = self._open(call, plural, repo_id)
        commit = self._at(found, revision)
        folder = folder.strip("/")
        entries = [
            self._entry(found, commit, path, call.says("expand"))
            for path in _paths(commit)
            if path.startswith(f"{folder}/" if folder else "") and path != folder
            if call.says("recursive") or "/" not in path.removeprefix(f"{folder}/" if folder else "")
        ]
        if folder and not entries:
            raise _Refusal(404, f"{folder} does not exist on {revision!r}", "EntryNotFound")
        return _json(entries, headers={"X-Repo-Commit": commit.oid})

    def _paths_info(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id)
        commit = self._at(found, revision)
        if "json" in call.headers.get("Content-Type", ""):
            sent = call.json()
            wanted, expand = sent["paths"], bool(sent.get("expand"))
        else:
            form = parse_qs(call.body.decode())
            wanted, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in _TRUE
        known = _paths(commit)
        return _json(
            [self._entry(found, commit, path, expand) for path in (p.strip("/") for p in wanted) if path in known]
        )

    @staticmethod
    def _entry(repository: Repository, commit: Commit, path: str, expand: bool) -> dict[str, Any]:
        blob = commit.tree.get(path)
        if blob is None:
            oid = hashlib.sha1(f"{commit.oid} {path}".encode()).hexdigest()
            entry: dict[str, Any] = {"type": "directory", "oid": oid, "size": 0, "path": path}
        else:
            entry = {"type": "file", "oid": blob.oid, "size": len(blob.content), "path": path}
            if blob.large:
                entry["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": len(blob.pointer)}
        if expand:
            last = repository.last_change(commit, path)
            entry["lastCommit"] = {"id": last.oid, "title": last.title, "date": last.date}
        return entry

    # Branches and tags.

    def _make_branch(self, call: _Call, plural: str, repo_id: str, branch: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        start = self._at(found, (call.json() if call.body else {}).get("startingPoint") or "main")
        if branch in found.branches:
            raise _Refusal(409, f"Reference already exists: {branch}")
        found.branches[branch] = start.oid
        return _Answer(b"OK")

    def _drop_branch(self, call: _Call, plural: str, repo_id: str, branch: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        if branch == "main":
            raise _Refusal(403, "Cannot delete the default branch")
        if found.branches.pop(branch, None) is None:
            raise _Refusal(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        return _Answer(b"OK")

    def _make_tag(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        commit, tag = self._at(found, revision), call.json()["tag"]
        if tag in found.tags:
            raise _Refusal(409, f"Tag reference exists already: {tag}")
        found.tags[tag] = commit.oid
        return _Answer(b"OK")

    def _drop_tag(self, call: _Call, plural: str, repo_id: str, tag: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        if found.tags.pop(tag, None) is None:
            raise _Refusal(404, f"Invalid rev id: {tag}", "RevisionNotFound")
        return _Answer(b"OK")

    # Uploads.

    def _preupload(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        tree = self._at(found, revision).tree
        files = []
        for file in call.json()["files"]:
            mode = "lfs" if is_large(file["path"], file["size"]) else "regular"
            answer = {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
            known = tree.get(file["path"])
            if known is not None:
                answer["oid"] = known.sha256 if known.large else known.oid
            files.append(answer)
        return _json({"files": files, "commitOid": self._at(found, revision).oid})

    def _batch(self, call: _Call, prefix: str, repo_id: str) -> _Answer:
        self._open(call, prefix.strip("/") or "models", repo_id, write=True)
        objects = []
        for wanted in call.json()["objects"]:
            answer: dict[str, Any] = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self._large:
                verify = f"{self.url}/{prefix}{repo_id}.git/info/lfs/objects/verify"
                answer["actions"] = {
                    "upload": {"href": f"{self._storage}/{wanted['oid']}"},
                    "verify": {"href": verify},
                }
            objects.append(answer)
        return _json({"transfer": "basic", "objects": objects})

    def _verify(self, call: _Call, prefix: str, repo_id: str) -> _Answer:
        self._open(call, prefix.strip("/") or "models", repo_id, write=True)
        wanted = call.json()
        if len(self._large.get(wanted["oid"], b"")) != wanted["size"]:
            raise _Refusal(404, f"Object not found: {wanted['oid']}")
        return _Answer(b"OK")

    def _put_large(self, call: _Call, oid: str) -> _Answer:
        if hashlib.sha256(call.body).hexdigest() != oid:
            raise _Refusal(400, "The content does not have the hash that it was announced with")
        self._large[oid] = call.body
        return _Answer()

    def _get_large(self, call: _Call, oid: str) -> _Answer:
        content = self._large.get(oid)
        if content is None:
            raise _Refusal(404, "Not found")
        return _ranged(content, call.headers, {"ETag": f'"{oid}"'})

    def _make_commit(self, call: _Call, plural: str, repo_id: str, revision: str) -> _Answer:
        found = self._open(call, plural, repo_id, write=True)
        assert call.user is not None
        if revision not in found.branches:
            raise _Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        head = self._at(found, revision)
        tree, header = dict(head.tree), None
        for line in call.body.splitlines():
            step = json.loads(line)
            key, value = step["key"], step["value"]
            if key == "header":
                header = value
            elif key == "file":
                tree[value["path"]] = Blob(_decoded(value))
            elif key == "lfsFile":
                if value["oid"] not in self._large:
                    raise _Refusal(400, f"LFS pointer pointed to a file that does not exist: {value['path']}")
                tree[value["path"]] = Blob(self._large[value["oid"]], large=True)
            elif key == "deletedFile":
                if tree.pop(value["path"], None) is None:
                    raise _Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
            elif key == "deletedFolder":
                inside = [path for path in tree if path.startswith(value["path"].rstrip("/") + "/")]
                if not inside:
                    raise _Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
                for path in inside:
                    del tree[path]
            else:
                raise _Refusal(400, f"Unknown operation: {key}")
        if not (header or {}).get("summary"):
            raise _Refusal(400, "A commit needs a header with a summary")
        if header.get("parentCommit") not in (None, head.oid):
            raise _Refusal(412, "A commit has happened since. Please refresh and try again.")
        made = found.commit(revision, tree, call.user.name, header["summary"], header.get("description") or "")
        return _json({"success": True, "commitOid": made.oid, "commitUrl": f"{self._page(found)}/commit/{made.oid}"})

    # Downloads.

    def _resolve(self, call: _Call, prefix: str, repo_id: str, revision: str, path: str) -> _Answer:
        found = self._open(call, prefix.strip("/") or "models", repo_id)
        commit = self._at(found, revision)
        blob = commit.tree.get(path)
        headers = {"X-Repo-Commit": commit.oid}
        if blob is None:
            refusal = _Refusal(404, "Entry not found", "EntryNotFound")
            refusal.headers |= headers
            raise refusal
        if blob.large:
            # As on the Hub: somewhere else, where the token is not sent on; size and hash stand in this answer.
            return _Answer(
                b"",
                302,
                headers
                | {
                    "Location": f"{self._storage}/{blob.sha256}",
                    "X-Linked-Size": str(len(blob.content)),
                    "X-Linked-Etag": f'"{blob.sha256}"',
                },
            )
        return _ranged(blob.content, call.headers, headers | {"ETag": f'"{blob.oid}"'})


_API = r"/api/(models|datasets|spaces)/([\w.-]+/[\w.-]+)"
_PAGE = r"/((?:datasets|spaces)/)?([\w.-]+/[\w.-]+)"
_ROUTES: tuple[tuple[str, str, Callable[..., _Answer]], ...] = (
    ("GET", r"/api/whoami-v2", LoopbackHub._whoami),
    ("POST", r"/api/repos/create", LoopbackHub._create),
    ("DELETE", r"/api/repos/delete", LoopbackHub._delete),
    ("POST", r"/api/validate-yaml", LoopbackHub._validate),
    ("PUT", rf"{_API}/settings", LoopbackHub._settings),
    ("GET", rf"{_API}/auth-check(/write)?", LoopbackHub._check_access),
    ("GET|HEAD", rf"{_API}(?:/revision/([^/]+))?", LoopbackHub._info),
    ("GET", rf"{_API}/refs", LoopbackHub._refs),
    ("GET", rf"{_API}/commits/([^/]+)", LoopbackHub._log),
    ("GET|HEAD", rf"{_API}/tree/([^/]+)(/.*)?", LoopbackHub._tree),
    ("POST", rf"{_API}/paths-info/([^/]+)", LoopbackHub._paths_info),
    ("POST", rf"{_API}/branch/([^/]+)", LoopbackHub._make_branch),
    ("DELETE", rf"{_API}/branch/([^/]+)", LoopbackHub._drop_branch),
    ("POST", rf"{_API}/tag/([^/]+)", LoopbackHub._make_tag),
    ("DELETE", rf"{_API}/tag/([^/]+)", LoopbackHub._drop_tag),
    ("POST", rf"{_API}/preupload/([^/]+)", LoopbackHub._preupload),
    ("POST", rf"{_API}/commit/([^/]+)", LoopbackHub._make_commit),
    ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", LoopbackHub._batch),
    ("POST", rf"{_PAGE}\.git/info/lfs/objects/verify", LoopbackHub._verify),
    ("PUT", r"/lfs/([0-9a-f]{64})", LoopbackHub._put_large),
    ("GET|HEAD", r"/lfs/([0-9a-f]{64})", LoopbackHub._get_large),
    ("GET|HEAD", rf"{_PAGE}/resolve/([^/]+)/(.+)", LoopbackHub._resolve),
)


class _Handler(BaseHTTPRequestHandler):
    """HTTP itself: reads a request, asks the Hub, writes its answer; and what goes wrong on the way."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every second answer on a kept connection waits 40 ms
    timeout = 60

    def handle_request(self) -> None:
        path = urlsplit(self.path).path
        fault = self.hub._take_fault(self.command, path)
        if fault and fault.cut:
            self._body(part=0.5)
            self._cut(path)
            return
        body = self._body()
        if fault and fault.status:
            answer = _json({"error": "Refused for a test"}, fault.status, fault.headers)
        else:
            answer = self.hub._answer(self.command, self.path, self.headers, body)
        content = b"" if self.command == "HEAD" else answer.body
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | dict(answer.headers)).items():
            self.send_header(name, value)
        if fault and fault.lost:
            if content:
                self.end_headers()
                self.wfile.write(content[: len(content) // 2])
            self._cut(path)
            return
        self._write_down(path, answer.status)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = handle_request  # noqa: N815

    def _body(self, part: float = 1) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(int(self.headers.get("Content-Length") or 0) * part))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
            if part < 1:
                return b"".join(chunks)
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def _cut(self, path: str) -> None:
        self._write_down(path, 0)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _write_down(self, path: str, status: int) -> None:
        sent = "Authorization" in self.headers
        self.hub.requests.append(Request(self.command, unquote(path), status, sent))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: `LoopbackHub.requests` has it all."""


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> _Answer:
    return _Answer(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})


def _ranged(content: bytes, headers: Mapping[str, str], answer: Mapping[str, str]) -> _Answer:
    """A file, or the part of it that was asked for."""
    answer = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", **answer}
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").replace(" ", ""))
    if match is None or not any(match.groups()):
        return _Answer(content, 200, answer)
    first, last = match.groups()
    start = int(first) if first else max(0, len(content) - int(last))
    stop = min(int(last) + 1, len(content)) if first and last else len(content)
    if start >= min(stop, len(content)):
        return _Answer(b"", 416, {**answer, "Content-Range": f"bytes */{len(content)}"})
    where = {"Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"}
    return _Answer(content[start:stop], 206, {**answer, **where})


def _paths(commit: Commit) -> list[str]:
    """Files and the folders they lie in."""
    found = set(commit.tree)
    for path in commit.tree:
        while "/" in path:
            path = path.rpartition("/")[0]
            found.add(path)
    return sorted(found)


def _decoded(value: Mapping[str, str]) -> bytes:
    try:
        return base64.b64decode(value["content"], validate=True)
    except binascii.Error:
        raise _Refusal(400, f"{value['path']}: the content is not in base64") from None


def _front_matter(text: str) -> Any:
    """The metadata of a card; None when it has none."""
    match = re.match(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", text, re.DOTALL)
    return yaml.safe_load(match[1]) if match else None
