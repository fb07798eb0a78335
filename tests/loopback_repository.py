"""Repositories of the loop-back Hub: commits, branches and tags, kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

LARGE_ENDINGS = (".safetensors", ".parquet")
LARGE_SIZE = 10_000  # bytes; the real Hub's limit is 10 MB, which no test wants to send
_FIRST_DATE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Blob:
    """The content of a file, and whether it went through LFS."""

    content: bytes
    large: bool = False

    @property
    def oid(self) -> str:
        """What git calls it: the hash of a small file, or of the pointer that stands for a large one."""
        content = self.pointer if self.large else self.content
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()

    @property
    def sha256(self) -> str:
        """What LFS calls it."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git stores for a large file."""
        return (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {len(self.content)}\n"
        ).encode()


def is_large(path: str, size: int) -> bool:
    """Whether a file of this name and size goes through LFS; an empty one never does."""
    return size > 0 and (path.endswith(LARGE_ENDINGS) or size > LARGE_SIZE)


@dataclass(frozen=True)
class Commit:
    """A commit and the whole tree it left."""

    oid: str
    title: str
    description: str
    parent: str | None
    author: str
    date: str
    tree: Mapping[str, Blob] = field(repr=False)


@dataclass
class Repository:
    """A repository: what may be asked about it in a test, and how it changes."""

    repo_id: str
    repo_type: str
    private: bool
    sdk: str | None = None
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    history: dict[str, Commit] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The user or organisation it belongs to."""
        return self.repo_id.partition("/")[0]

    def commit(self, branch: str, tree: Mapping[str, Blob], author: str, title: str, description: str = "") -> Commit:
        """Put a commit on top of a branch (made if there is none)."""
        parent = self.branches.get(branch)
        number = len(self.history)
        digest = hashlib.sha1(f"{self.repo_type} {self.repo_id} {number} {parent}".encode())
        for path in sorted(tree):
            digest.update(f"{path}\0{tree[path].oid}\0".encode())
        date = (_FIRST_DATE + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        made = Commit(digest.hexdigest(), title, description, parent, author, date, dict(tree))
        self.history[made.oid] = made
        self.branches[branch] = made.oid
        return made

    def find(self, revision: str) -> Commit | None:
        """The commit that a branch, a tag or a full hash stands for."""
        name = revision.removeprefix("refs/heads/")
        oid = self.branches.get(name) or self.tags.get(revision.removeprefix("refs/tags/")) or revision
        return self.history.get(oid)

    def log(self, commit: Commit) -> Iterator[Commit]:
        """A commit and those before it, newest first."""
        found: Commit | None = commit
        while found is not None:
            yield found
            found = self.history.get(found.parent) if found.parent else None

    def last_change(self, commit: Commit, path: str) -> Commit:
        """The commit that gave a file (or a folder, by any of its files) the content it has at a commit."""

        def content(at: Commit) -> dict[str, str]:
            return {name: blob.oid for name, blob in at.tree.items() if name == path or name.startswith(f"{path}/")}

        changed = commit
        for older in self.log(commit):
            if content(older) != content(commit):
                break
            changed = older
        return changed
