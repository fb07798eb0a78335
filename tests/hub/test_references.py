import json
import re
import string

import pytest
from fresh import run_fresh
from hypothesis import given
from hypothesis import strategies as st
from loopback_hub import TOKENS
from loopback_upload import upload

from hf_bionerkd.hub.references import Reference, parse_reference, resolve

ASK = """
import json, sys, time
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.references import parse_reference, resolve

time.sleep = lambda seconds: None  # the client waits between its retries

for repo_type, text in json.loads(sys.argv[1]):
    try:
        print(json.dumps(resolve(parse_reference(text, repo_type=repo_type)).commit))
    except HubError as error:
        print(json.dumps([str(error), error.temporary]))
assert "torch" not in sys.modules
"""
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def ask(env, folder, *names):
    """What each (repository type, name) resolves to in a fresh process: a commit, or an error and if it may pass."""
    done = run_fresh(ASK, env, folder, json.dumps(names))
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "revision", "expected"),
    [
        ("org/name", None, ("org/name", None)),
        ("org/name@v1", None, ("org/name", "v1")),
        ("org/name@v1", "v1", ("org/name", "v1")),
        ("org/name", "v1", ("org/name", "v1")),
        ("org/name@refs/pr/1", None, ("org/name", "refs/pr/1")),
        ("org/name@fix/a@b", None, ("org/name", "fix/a@b")),
        (f"Org-1/na.me_x@{COMMIT}", None, ("Org-1/na.me_x", COMMIT)),
        ("bert-base", "main", ("bert-base", "main")),
    ],
)
def test_names_on_the_hub(text, revision, expected, here):
    found = parse_reference(text, revision)
    assert (found.repo_id, found.revision) == expected and found.repo_type == "model" and found.commit is None
    assert str(found) == (f"{expected[0]}@{expected[1]}" if expected[1] else expected[0])


@given(
    st.lists(st.text(string.ascii_letters + string.digits, min_size=1), min_size=2, max_size=2),
    st.text("av1/.-_@", min_size=1),
)
def test_a_reference_reads_what_it_writes(parts, revision):
    reference = Reference("/".join(parts), revision, "dataset")
    assert parse_reference(str(reference), repo_type="dataset") == reference


@pytest.mark.parametrize(
    "text", ["./name", "../org", "/org/name", "~/name", "a/b/c", "data/my corpus", "org/", "", "org/name@"]
)
def test_what_is_neither_here_nor_a_name(text, here):
    with pytest.raises(
        FileNotFoundError, match=r"no folder or file .*, and .* of the form org/name or org/name@revision"
    ):
        parse_reference(text)


def test_corpora_have_an_owner(here):
    assert parse_reference("conll") is not None
    with pytest.raises(FileNotFoundError, match="'conll'"):
        parse_reference("conll", repo_type="dataset")


def test_what_is_here_is_no_reference_but_folders_have_no_revisions(here):
    (here / "org" / "name").mkdir(parents=True)
    (here / "vocab.txt").write_text("")
    (here / "odd@name").mkdir()
    for text in ("org/name", "./org", str(here / "org"), "vocab.txt", "odd@name"):
        assert parse_reference(text) is None
    # A configuration that was pinned to a commit must not turn to a folder that happens to have the same name.
    assert (
        parse_reference("org/name", COMMIT) == Reference("org/name", COMMIT) == parse_reference(f"org/name@{COMMIT}")
    )
    with pytest.raises(ValueError, match="revision 'v1' is given for the local path './org'"):
        parse_reference("./org", "v1")


def test_two_revisions_are_one_too_many():
    with pytest.raises(ValueError, match="'org/name@v1' names the revision 'v1', but `revision` says 'v2'"):
        parse_reference("org/name@v1", "v2")


def test_a_full_commit_is_taken_at_its_word_without_a_look():
    found = resolve(Reference("org/name", COMMIT))  # offline, as all tests are, and with an empty cache
    assert found == Reference("org/name", COMMIT, "model", COMMIT) == resolve(found)


def test_branches_and_tags_become_commits(hub, tmp_path):
    first = upload(hub, "org/corpus", {"a": "1"}, "dataset", tag="v1")
    second = upload(hub, "org/corpus", {"a": "2"}, "dataset")
    other = upload(hub, "org/corpus", {"a": "3"}, "dataset", branch="try/it")
    model = upload(hub, "org/corpus", {"a": "4"})
    names = ["org/corpus", "org/corpus@main", "org/corpus@v1", "org/corpus@try/it"]
    env = hub.environment(tmp_path / "home")
    asked = [*(("dataset", name) for name in names), ("model", "org/corpus"), ("dataset", "org/corpus@v2")]
    *found, (error, temporary) = ask(env, tmp_path, *asked)
    assert found == [second, second, first, other, model]
    assert "dataset org/corpus has no branch, tag or commit 'v2'" in error and not temporary
    assert len({first, second, other, model}) == 4

    # Moved on the Hub, and the Hub gone: offline, the cache answers with what it heard last.
    moved = upload(hub, "org/corpus", {"a": "5"}, "dataset")
    asked += [("dataset", f"org/corpus@{moved}"), ("dataset", "org/nowhere")]
    before = len(hub.requests)
    *found, unknown, commit, nowhere = ask(env | {"HF_HUB_OFFLINE": "1"}, tmp_path, *asked)
    assert found == [second, second, first, other, model] and commit == moved
    assert len(hub.requests) == before
    assert re.fullmatch(
        r"offline mode is on, and the cache .*home.hub does not know dataset org/corpus@v2\. "
        r"Unset HF_HUB_OFFLINE once to fetch it\.",
        unknown[0],
    )
    assert nowhere[0].endswith("There is no folder 'org/nowhere' here either.")


def test_no_access_is_said_and_no_cache_is_taken_instead(hub, tmp_path):
    commit = upload(hub, "org/secret", {"a": "1"}, "dataset", private=True)
    names = [("dataset", "org/secret"), ("dataset", "org/missing")]
    (found, _) = ask(hub.environment(tmp_path / "home", TOKENS["rita"]), tmp_path, *names)
    assert found == commit
    for token in (TOKENS["bob"], None):  # in the same home, where rita's cache is
        for name, (error, temporary) in zip(
            names, ask(hub.environment(tmp_path / "home", token), tmp_path, *names), strict=True
        ):
            assert (
                f"there is no dataset {name[1]} at {hub.url}, or it is private and your token may not read it" in error
            )
            assert "HF_TOKEN" in error and "here either" in error and not temporary
    ((error, _), _) = ask(hub.environment(tmp_path / "home", TOKENS["nobody"]), tmp_path, *names)
    assert "refused the token (401)" in error and TOKENS["nobody"] not in error


def test_an_unreachable_hub_is_an_error_that_names_the_cache_only_if_that_helps(hub, tmp_path):
    commit = upload(hub, "org/model", {"a": "1"})
    env = hub.environment(tmp_path / "home")
    fetched = "from huggingface_hub import snapshot_download as s; s('org/model')"
    run_fresh(fetched, env, tmp_path)
    hub.fail("GET", "/api/models/org/model", status=503, times=100)
    ((error, temporary),) = ask(env, tmp_path, ("model", "org/model"))
    assert temporary and "(503)" in error and f"holds org/model at commit {commit}: HF_HUB_OFFLINE=1" in error
    nowhere = env | {"HF_ENDPOINT": "http://127.0.0.1:9"}
    held, other = ask(nowhere, tmp_path, ("model", "org/model@main"), ("model", "org/other"))
    assert "could not be reached" in held[0] and f"holds org/model@main at commit {commit}" in held[0] and held[1]
    assert "could not be reached" in other[0] and "HF_HUB_OFFLINE" not in other[0] and other[1]
    # A mistyped folder looks like a name on the Hub.
    assert "no folder 'org/other' here either" in other[0] and "here either" not in held[0] + error
