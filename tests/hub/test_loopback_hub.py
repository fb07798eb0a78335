"""The stand-in for the Hub: what the real client makes of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh import run_fresh
from loopback_hub import TOKENS, LoopbackHub
from loopback_repository import Blob

from hf_bionerkd.hub.secrets import holds_token

# Everything that a client can do is done by one process; the tests look at what came of it.
PROGRAM = """
import json, sys, time
from pathlib import Path
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem, constants
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.utils import get_session, logging

logging.set_verbosity_error()
time.sleep = lambda seconds: None  # the client waits between its retries
tokens = json.loads(sys.argv[1])
api = HfApi()
bob, rita, wrong = (HfApi(token=tokens[name]) for name in ("bob", "rita", "wrong"))
nobody = HfApi(token=False)
said = {}

def refused(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        response = getattr(error, "response", None)
        return [type(error).__name__, response.status_code if response is not None else None]
    return "not refused"

# Users.
who = api.whoami()
said["whoami"] = [who["name"], [org["name"] for org in who["orgs"]], who["auth"]["accessToken"]["role"]]
said["read role"] = rita.whoami()["auth"]["accessToken"]["role"]
said["unknown token"] = [refused(wrong.whoami), refused(wrong.model_info, "org/public")]

# Repositories.
said["url"] = [
    str(api.create_repo("org/public")),
    str(api.create_repo("org/public", exist_ok=True)),
    str(api.create_repo("org/data", repo_type="dataset", private=True)),
    str(api.create_repo("org/demo", repo_type="space", space_sdk="gradio")),
    str(api.create_repo("ann/own")),
]
said["exists"] = refused(api.create_repo, "org/public")
said["create without the right"] = [
    refused(user.create_repo, "org/other") for user in (bob, rita, nobody)
]
api.create_repo("org/secret", private=True)
said["default"] = api.create_repo("closed/model").repo_id
said["sdk"] = api.space_info("org/demo").sdk
said["exists?"] = [api.repo_exists("org/public"), api.repo_exists("org/none"), api.repo_exists("org/demo")]

# Commits.
folder = Path("folder")
first = api.upload_folder(repo_id="org/public", folder_path=folder, commit_message="First", commit_description="Why")
again = api.upload_folder(repo_id="org/public", folder_path=folder, commit_message="Nothing new")
said["first"], said["again"] = first.oid, again.oid
api.create_tag("org/public", tag="v1", revision=first.oid)
api.create_branch("org/public", branch="try/this", revision="v1")
(folder / "README.md").write_text("---\\nlicense: mit\\ntags: [a]\\n---\\nnew")
(folder / "old.txt").unlink()
(folder / "sub" / "weights.safetensors").write_bytes(b"new" * 5000)
second = api.upload_folder(repo_id="org/public", folder_path=folder, delete_patterns="old*", parent_commit=first.oid)
said["second"] = second.oid
stale = dict(commit_message="stale", parent_commit=first.oid)
said["stale"] = refused(api.create_commit, "org/public", [CommitOperationAdd("x.txt", b"x")], **stale)
said["on a branch"] = api.create_commit(
    "org/public", [CommitOperationDelete("sub/", is_folder=True)], commit_message="Less", revision="try/this"
).oid
said["no such branch"] = refused(
    api.create_commit, "org/public", [CommitOperationAdd("x", b"x")], commit_message="m", revision="none"
)
said["delete nothing"] = refused(
    api.create_commit, "org/public", [CommitOperationDelete("none.txt")], commit_message="m"
)
said["bad card"] = refused(
    api.create_commit, "org/public", [CommitOperationAdd("README.md", b"---\\na: [\\n---\\n")], commit_message="m"
)
said["tag twice"] = refused(api.create_tag, "org/public", tag="v1")
said["branch twice"] = refused(api.create_branch, "org/public", branch="try/this")
api.create_branch("org/public", branch="try/this", exist_ok=True)
api.create_tag("org/public", tag="gone", revision="try/this")
api.delete_tag("org/public", tag="gone")
said["tag gone"] = refused(api.delete_tag, "org/public", tag="gone")

# Looking.
refs = api.list_repo_refs("org/public")
said["refs"] = [{r.name: r.target_commit for r in refs.branches}, {r.name: r.target_commit for r in refs.tags}]
said["log"] = [[c.commit_id, c.title, c.message, c.authors] for c in api.list_repo_commits("org/public")]
said["log of a tag"] = [c.title for c in api.list_repo_commits("org/public", revision="v1")]
tree = {entry.path: entry for entry in api.list_repo_tree("org/public", recursive=True, expand=True)}
said["tree"] = sorted(tree)
said["changed by"] = {path: entry.last_commit.title for path, entry in tree.items()}
said["top"] = sorted(entry.path for entry in api.list_repo_tree("org/public"))
said["sub"] = [entry.path for entry in api.list_repo_tree("org/public", "sub", revision="v1")]
said["no folder"] = refused(lambda: list(api.list_repo_tree("org/public", "none")))
said["large"] = tree["sub/weights.safetensors"].lfs.sha256
said["small"] = tree["README.md"].blob_id
said["paths"] = [info.path for info in api.get_paths_info("org/public", ["sub", "README.md", "none"])]
said["files at v1"] = sorted(api.list_repo_files("org/public", revision="v1"))
info = api.model_info("org/public", files_metadata=True)
said["info"] = [info.sha, info.private, info.card_data.license, {s.rfilename: s.size for s in info.siblings}]
said["info at"] = [api.model_info("org/public", revision=r).sha for r in ("v1", "try/this", first.oid)]
said["no revision"] = refused(api.model_info, "org/public", revision="none")
only = api.model_info("org/public", expand=["sha"])
said["only"] = [only.sha, only.siblings]

# Downloads.
said["by tag"] = Path(hf_hub_download("org/public", "README.md", revision="v1")).read_text()
said["by main"] = Path(hf_hub_download("org/public", "README.md")).read_text()
said["no file"] = refused(hf_hub_download, "org/public", "none.txt")
local = Path(snapshot_download("org/public", revision="try/this"))
said["snapshot"] = [local.name, sorted(str(p.relative_to(local)) for p in local.rglob("*") if p.is_file())]
url = f"{constants.ENDPOINT}/org/public/resolve/main/sub/weights.safetensors"
part = get_session().get(url, headers={"Range": "bytes=2-7"}, follow_redirects=True)
said["part"] = [part.status_code, part.text, part.headers["Content-Range"]]
beyond = get_session().get(url, headers={"Range": "bytes=99999-"}, follow_redirects=True)
said["beyond"] = [beyond.status_code, beyond.headers["Content-Range"]]
with HfFileSystem().open("org/public/README.md", "rb", block_size=4) as file:
    file.seek(4)
    said["streamed"] = file.read(7).decode()

# Who may do what.
may = dict(write=True)
api.auth_check("org/public", **may)
said["may not write"] = [refused(user.auth_check, "org/public", **may) for user in (bob, rita, nobody)]
said["may read"] = [refused(user.auth_check, "org/public") for user in (bob, rita, nobody)]
said["private"] = {
    name: [refused(user.auth_check, "org/secret"), refused(user.model_info, "org/secret")]
    for name, user in {"ann": api, "bob": bob, "rita": rita, "nobody": nobody, "wrong": wrong}.items()
}
said["upload without the right"] = [
    refused(user.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id="org/public") for user in (bob, rita)
]
said["private download"] = [
    refused(hf_hub_download, "org/secret", ".gitattributes", token=False, cache_dir="cache"),
    refused(hf_hub_download, "org/secret", ".gitattributes", token=tokens["rita"], cache_dir="cache"),
]
api.update_repo_settings("org/data", repo_type="dataset", private=False)
said["fine"] = HfApi(token=tokens["fine"]).whoami()["auth"]["accessToken"]["fineGrained"]["scoped"]
fine = HfApi(token=tokens["fine"])
said["fine may"] = [refused(fine.auth_check, "org/public", **may), refused(fine.auth_check, "ann/own", **may)]

# Faults, as the test has asked for them.
big = dict(path_or_fileobj=b"c" * 3_000_000, path_in_repo="cut.bin")
said["cut, then retried"] = api.upload_file(repo_id="ann/own", **big).oid
said["cut"] = refused(api.upload_file, path_or_fileobj=b"x", path_in_repo="x", repo_id="ann/faults")
said["lost"] = refused(api.create_tag, "ann/own", tag="lost")
said["limited"] = refused(api.create_branch, "ann/own", branch="b")
said["then"] = refused(api.create_branch, "ann/own", branch="b")
api.delete_repo("ann/own")
said["deleted"] = api.repo_exists("ann/own")
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org", "closed"))
        hub.add_user("bob", TOKENS["bob"])
        hub.add_user("rita", TOKENS["rita"], role="read", orgs=("org",))
        hub.add_user("ann", TOKENS["fine"], role="fineGrained", orgs=("org",), scopes={"org": ["repo.write"]})
        hub.private_namespaces.add("closed")
        hub.fail("PUT", "^/lfs/", cut=True, times=2)
        hub.fail("POST", "/ann/faults/preupload/", cut=True, times=9)
        hub.fail("POST", "/ann/own/tag/", lost=True)
        hub.fail("POST", "/ann/own/branch/", status=429, headers={"Retry-After": "7"})
        yield hub


@pytest.fixture(scope="module")
def said(hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("client")
    (folder / "folder" / "sub").mkdir(parents=True)
    (folder / "folder" / "README.md").write_text("---\nlicense: mit\n---\nold")
    (folder / "folder" / "old.txt").write_text("old")
    (folder / "folder" / "empty.parquet").touch()
    (folder / "folder" / "sub" / "weights.safetensors").write_bytes(b"old" * 5000)
    tokens = {"bob": TOKENS["bob"], "rita": TOKENS["rita"], "wrong": TOKENS["nobody"], "fine": TOKENS["fine"]}
    environment = hub.environment(folder / "home", TOKENS["ann"])
    return json.loads(run_fresh(PROGRAM, environment, folder, json.dumps(tokens)).stdout)


def test_users_have_names_organisations_and_roles(said: dict[str, Any]) -> None:
    assert said["whoami"] == ["ann", ["org", "closed"], "write"]
    assert said["read role"] == "read"
    assert said["fine"] == [{"entity": {"type": "org", "name": "org"}, "permissions": ["repo.write"]}]
    assert said["unknown token"] == [["HfHubHTTPError", 401]] * 2


def test_test_tokens_look_like_real_ones() -> None:
    assert all(holds_token(token) for token in TOKENS.values())
    assert len(set(TOKENS.values())) == len(TOKENS)


def test_repositories_of_each_type_are_made_once(said: dict[str, Any], hub: LoopbackHub) -> None:
    model, same, data, demo, own = said["url"]
    assert (model, data, demo) == (
        f"{hub.url}/org/public",
        f"{hub.url}/datasets/org/data",
        f"{hub.url}/spaces/org/demo",
    )
    assert same == model and own == f"{hub.url}/ann/own"
    assert said["exists"] == ["HfHubHTTPError", 409]
    assert said["sdk"] == hub.repo("org/demo", "space").sdk == "gradio"
    assert said["exists?"] == [True, False, False]
    assert said["deleted"] is False and not hub.has("ann/own")


def test_privacy_is_the_namespaces_unless_told_and_can_change(said: dict[str, Any], hub: LoopbackHub) -> None:
    assert said["default"] == "closed/model"
    assert hub.repo("closed/model").private and hub.repo("org/secret").private
    assert not hub.repo("org/public").private and not hub.repo("org/data", "dataset").private


def test_commits_follow_one_another(said: dict[str, Any], hub: LoopbackHub) -> None:
    commits = hub.commits("org/public")
    assert [c.title for c in commits] == ["Upload folder using huggingface_hub", "First", "initial commit"]
    assert said["log"] == [[c.oid, c.title, c.description, ["ann"]] for c in commits]
    assert [c.parent for c in commits] == [commits[1].oid, commits[2].oid, None]
    assert said["first"] == commits[1].oid and commits[1].description == "Why"
    assert said["second"] == commits[0].oid == hub.head("org/public")
    assert all(len(c.oid) == 40 for c in commits)


def test_the_same_again_is_no_commit(said: dict[str, Any]) -> None:
    assert said["again"] == said["first"]


def test_a_commit_on_a_stale_parent_is_refused(said: dict[str, Any]) -> None:
    assert said["stale"] == ["HfHubHTTPError", 412]


def test_branches_and_tags_hold_their_own_states(said: dict[str, Any], hub: LoopbackHub) -> None:
    branches, tags = said["refs"]
    assert branches == {"main": said["second"], "try/this": said["on a branch"]}
    assert tags == {"v1": said["first"]}
    assert said["info at"] == [said["first"], said["on a branch"], said["first"]]
    assert said["log of a tag"] == ["First", "initial commit"]
    assert set(hub.files("org/public")) == {".gitattributes", "README.md", "empty.parquet", "sub/weights.safetensors"}
    assert set(said["files at v1"]) == {*hub.files("org/public"), "old.txt"}
    assert set(hub.files("org/public", revision="try/this")) == {
        ".gitattributes",
        "README.md",
        "empty.parquet",
        "old.txt",
    }
    assert said["tag twice"] == said["branch twice"] == ["HfHubHTTPError", 409]


def test_what_is_not_there_is_said_to_be_missing(said: dict[str, Any]) -> None:
    assert said["no revision"] == said["no such branch"] == said["tag gone"] == ["RevisionNotFoundError", 404]
    assert said["no file"] == said["no folder"] == said["delete nothing"] == ["RemoteEntryNotFoundError", 404]


def test_trees_list_files_folders_and_who_changed_them(said: dict[str, Any]) -> None:
    assert said["tree"] == [".gitattributes", "README.md", "empty.parquet", "sub", "sub/weights.safetensors"]
    assert said["top"] == [".gitattributes", "README.md", "empty.parquet", "sub"]
    assert said["sub"] == ["sub/weights.safetensors"]
    assert said["paths"] == ["sub", "README.md"]
    assert said["changed by"] == {
        ".gitattributes": "initial commit",
        "README.md": "Upload folder using huggingface_hub",
        "empty.parquet": "First",
        "sub": "Upload folder using huggingface_hub",
        "sub/weights.safetensors": "Upload folder using huggingface_hub",
    }


def test_info_reads_the_card_and_the_sizes(said: dict[str, Any], hub: LoopbackHub) -> None:
    sizes = {path: len(content) for path, content in hub.files("org/public").items()}
    assert said["info"] == [said["second"], False, "mit", sizes]
    assert said["only"] == [said["second"], None]
    assert said["bad card"] == ["ValueError", None]


def test_hashes_are_those_of_git_and_lfs(said: dict[str, Any], hub: LoopbackHub) -> None:
    assert Blob(b"").oid == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # what git hash-object prints
    assert Blob(b"hello\n").oid == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert said["small"] == Blob(hub.files("org/public")["README.md"]).oid
    large = hub.files("org/public")["sub/weights.safetensors"]
    assert said["large"] == hashlib.sha256(large).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{said['large']}\nsize {len(large)}\n"
    assert Blob(large, large=True).pointer.decode() == pointer


def test_downloads_follow_the_revision(said: dict[str, Any]) -> None:
    assert said["by tag"].endswith("old") and said["by main"].endswith("new")
    assert said["snapshot"] == [said["on a branch"], [".gitattributes", "README.md", "empty.parquet", "old.txt"]]


def test_parts_of_files_can_be_read(said: dict[str, Any]) -> None:
    assert said["part"] == [206, "wnewne", "bytes 2-7/15000"]
    assert said["beyond"] == [416, "bytes */15000"]
    assert said["streamed"] == "license"


def test_writing_needs_the_right(said: dict[str, Any], hub: LoopbackHub) -> None:
    forbidden = ["HfHubHTTPError", 403]
    assert said["may not write"] == [forbidden, forbidden, ["HfHubHTTPError", 401]]
    assert said["may read"] == ["not refused"] * 3
    assert said["upload without the right"] == [forbidden, forbidden]
    assert said["create without the right"] == [forbidden, forbidden, ["HfHubHTTPError", 401]]
    assert said["fine may"] == ["not refused", forbidden]
    assert not hub.has("org/other")


def test_a_private_repository_is_nowhere_for_who_may_not_read_it(said: dict[str, Any]) -> None:
    assert said["private"] == {
        "ann": ["not refused"] * 2,
        "rita": ["not refused"] * 2,
        "bob": [["RepositoryNotFoundError", 404]] * 2,
        "nobody": [["RepositoryNotFoundError", 401]] * 2,
        "wrong": [["HfHubHTTPError", 401]] * 2,
    }
    assert said["private download"] == [["RepositoryNotFoundError", 401], "not refused"]


def test_faults_happen_as_often_as_asked(said: dict[str, Any], hub: LoopbackHub) -> None:
    puts = [r.status for r in hub.requests if r.method == "PUT" and r.path.startswith("/lfs/")]
    assert puts[:3] == [0, 0, 200] and 0 not in puts[3:]
    assert said["cut, then retried"]
    assert said["cut"] == ["RemoteProtocolError", None] and not hub.has("ann/faults")
    assert said["limited"] == ["HfHubHTTPError", 429]
    assert said["then"] == "not refused"


def test_a_lost_answer_leaves_what_was_done(said: dict[str, Any], hub: LoopbackHub) -> None:
    assert said["lost"] == ["RemoteProtocolError", None]
    statuses = [r.status for r in hub.requests if r.path == "/api/models/ann/own/tag/main"]
    assert statuses == [0]


def test_tokens_go_to_the_hub_but_not_to_its_storage(said: dict[str, Any], hub: LoopbackHub) -> None:
    storage = [request for request in hub.requests if request.path.startswith("/lfs/")]
    assert {request.method for request in storage} == {"PUT", "GET"}
    assert not any(request.token for request in storage)
    assert any(request.token for request in hub.requests)


def test_an_environment_leads_to_this_hub_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "TRANSFORMERS_OFFLINE", "https_proxy", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, "1")
    with LoopbackHub() as hub:
        found = hub.environment(tmp_path / "home")
        assert found["HF_ENDPOINT"] == hub.url and found["HF_HOME"] == str(tmp_path / "home")
        assert hub.environment(tmp_path, "token")["HF_TOKEN"] == "token"
    assert not {"HF_HUB_OFFLINE", "HF_TOKEN", "TRANSFORMERS_OFFLINE", "https_proxy", "HF_HUB_CACHE"} & set(found)
    code = "import urllib.request as u; u.urlopen('https://hub.example.invalid')"
    done = run_fresh(code, found, tmp_path, check=False)
    assert done.returncode == 1 and "Connection refused" in done.stderr


def test_a_fault_of_the_hub_itself_fails_the_test(tmp_path: Path) -> None:
    program = "from huggingface_hub import HfApi; HfApi().whoami(token='x')"
    with pytest.raises(AssertionError, match="NoneType"), LoopbackHub() as hub:
        hub._users = None
        run_fresh(program, hub.environment(tmp_path), tmp_path, check=False)


def test_a_fresh_process_that_fails_shows_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="(?s)ended with 3.*out.*err"):
        run_fresh("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", {}, tmp_path)
    with pytest.raises(pytest.fail.Exception, match="(?s)took more than 0.5 s.*out"):
        run_fresh("import time; print('out', flush=True); time.sleep(9)", {}, tmp_path, timeout=0.5)
