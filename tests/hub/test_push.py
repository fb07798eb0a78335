"""Pushes with the real client, in fresh processes, to a Hub on the loop-back address."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from loopback_hub import TOKENS
from pushing import CARD, PUBLISHED, contents, model_folder, run_steps
from safetensors.numpy import save_file

from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.push import PushOptions, _check_names, _check_namespace, push_command


@pytest.fixture
def steps(hub, tmp_path):
    """Runs steps with ann's token, or another's, in one process that only writes down its waits."""

    def run(*wanted, token="ann", **variables):
        env = hub.environment(tmp_path / "home", TOKENS.get(token)) | variables
        return run_steps(wanted, env, tmp_path)

    return run


def push(folder, repo_id, repo_type="model", **options):
    own = {key: options.pop(key) for key in ("retry", "finished", "source") if key in options}
    options |= {"repo_id": repo_id, "repo_type": repo_type}
    return {"do": "push", "folder": str(folder), "options": options, **own}


def plan(folder, repo_id, repo_type="model", **options):
    return {**push(folder, repo_id, repo_type, **options), "do": "plan"}


def check(repo_id, **options):
    return {"do": "check", "options": {"repo_id": repo_id, **options}}


def write(path, text):
    return {"do": "write", "path": str(path), "text": text}


def login(name):
    return {"do": "login", "token": TOKENS.get(name)}


def files(hub, repo_id, repo_type="model", revision="main"):
    found = hub.files(repo_id, repo_type, revision)
    return {path: content for path, content in found.items() if path != ".gitattributes"}


def large_file(folder, name="model.safetensors"):
    """The path at which the Hub takes the file's content."""
    return f"/lfs/{hashlib.sha256((folder / name).read_bytes()).hexdigest()}"


def test_a_model_its_versions_tags_and_branches(hub, steps, tmp_path):
    folder = model_folder(tmp_path / "student")
    first_content = contents(folder)
    results = steps(
        push(folder, "org/student", private=True, tag="v1"),
        push(folder, "org/student", tag="v1"),
        write(folder / "metrics.json", '{"f1": 1}'),
        push(folder, "org/student", tag="v1"),
        push(folder, "org/student", private=True, tag="v2", message="Better numbers"),
        push(folder, "org/student", tag="v1"),
        push(folder, "org/student", branch="trial", tag="t0"),
        check("org/student", tag="v1"),
        check("org/student", tag="v1") | {"anew": True},
        check("org/student", tag="v3") | {"anew": True},
        write(folder / "metrics.json", '{"f1": 2}'),
        push(folder, "org/student", branch="trial"),
        push(folder, "org/other", branch="trial"),
    )
    assert [found for found in results if found.get("error") not in (None, "HubError")] == []
    first, same, _, conflict, second, moved, branch, kept, taken, free, _, trial, other = results
    repository = hub.repo("org/student")
    newest, initial_push, *_ = hub.commits("org/student")
    assert repository.private and len(hub.commits("org/student")) == 3  # with the Hub's own first one

    assert first["result"] == {"commit": initial_push.oid, "url": f"{hub.url}/org/student", "changed": True}
    assert files(hub, "org/student", revision="v1") == first_content
    assert initial_push.title.startswith("Publish with hf_bionerkd ")

    assert same["result"] == first["result"] | {"changed": False}

    assert conflict["error"] == "HubError" and not conflict["temporary"]
    assert conflict["text"].startswith(
        f"model org/student has the tag v1 already, at commit {initial_push.oid[:7]}; main is at commit "
        f"{initial_push.oid[:7]}, which the push would change. A tag stays where it is: choose another one."
    )
    assert second["result"]["commit"] == newest.oid == repository.tags["v2"] and newest.title == "Better numbers"
    assert files(hub, "org/student") == first_content | {"metrics.json": b'{"f1": 1}'}
    assert f"at commit {initial_push.oid[:7]}; main is at commit {newest.oid[:7]}, which holds these" in moved["text"]

    assert not branch["result"]["changed"] and repository.tags["t0"] == newest.oid
    assert "error" not in kept and "error" not in free  # before training it is known that the tag is taken
    assert f"has the tag v1 already, at commit {initial_push.oid[:7]}, where it stays: choose" in taken["text"]
    assert trial["result"]["commit"] == repository.branches["trial"] != repository.branches["main"] == newest.oid
    assert files(hub, "org/student", revision="trial") == contents(folder)
    assert other["result"]["commit"] == hub.head("org/other", revision="trial") != hub.head("org/other")
    assert files(hub, "org/other", revision="trial") == contents(folder) and files(hub, "org/other") == {}
    assert repository.tags == {"v1": initial_push.oid, "v2": newest.oid, "t0": newest.oid}


def test_a_finished_model_takes_the_place_of_what_training_pushed(hub, steps, tmp_path):
    staging, folder = tmp_path / ".pushing-7", model_folder(tmp_path / "student")
    (staging / "last-checkpoint").mkdir(parents=True)
    save_file({"weight": np.zeros(3)}, staging / "model.safetensors")
    save_file({"weight": np.zeros(2)}, staging / "model-00002-of-00002.safetensors")
    for name in ("config.json", "README.md", "last-checkpoint/optimizer.pt", "last-checkpoint/trainer_state.json"):
        (staging / name).write_text(CARD)
    pushed = {str(path.relative_to(staging)) for path in staging.rglob("*") if path.is_file()}
    training, finished, again = steps(
        push(staging, "org/student", finished=False, message="Training in progress, step 7"),
        push(folder, "org/student"),
        push(folder, "org/student"),
    )
    newest, in_training, _ = hub.commits("org/student")
    assert in_training.title == "Training in progress, step 7" and training["result"]["commit"] == in_training.oid
    assert set(files(hub, "org/student", revision=in_training.oid)) == pushed
    assert files(hub, "org/student") == contents(folder)  # one commit both adds and deletes
    assert finished["result"]["commit"] == again["result"]["commit"] == newest.oid and not again["result"]["changed"]


def test_a_corpus_loses_the_split_that_it_no_longer_has(hub, steps, tmp_path):
    corpus = tmp_path / "corpus"
    for name in ("README.md", "manifest.json", "data/train.parquet", "data/test.parquet"):
        (corpus / name).parent.mkdir(parents=True, exist_ok=True)
        (corpus / name).write_text(name)
    results = steps(
        push(corpus, "ann/corpus", "dataset", private=False),
        {"do": "remove", "path": str(corpus / "data" / "test.parquet")},
        push(corpus, "ann/corpus", "dataset"),
    )
    assert results[0]["result"]["url"] == f"{hub.url}/datasets/ann/corpus"
    assert not hub.repo("ann/corpus", "dataset").private
    names = ("README.md", "manifest.json", "data/train.parquet")
    assert files(hub, "ann/corpus", "dataset") == contents(corpus, names)
    assert "data/test.parquet" in files(hub, "ann/corpus", "dataset", results[0]["result"]["commit"])
    assert not hub.has("ann/corpus")


def test_a_plan_is_what_the_push_then_does_and_sends_nothing(hub, steps, tmp_path):
    folder = model_folder(tmp_path / "student")
    new, *_ = steps(plan(folder, "org/student", private=True), push(folder, "org/student", private=True))
    sizes = {name: (folder / name).stat().st_size for name in PUBLISHED}
    assert new["result"] == [[[name, sizes[name], "new"] for name in sorted(PUBLISHED)], True, False, None]
    before = contents(folder)
    hub.repo("org/student").commit(
        "main", {**hub._commit("org/student", "model", "main").tree, "training_args.bin": _blob(b"old")}, "ann", "x"
    )
    there = files(hub, "org/student")

    save_file({"weight": -np.arange(10, dtype=np.float32)}, folder / "model.safetensors")  # as large as before
    (folder / "run.yaml").write_text("seed: 14\n")  # likewise
    (folder / "metrics.json").write_text('{"longer": true}')
    (folder / "special_tokens_map.json").write_text("{}")
    assert [len(value) for value in contents(folder, ("model.safetensors", "run.yaml")).values()] == [
        len(before[name]) for name in ("model.safetensors", "run.yaml")
    ]
    hub.requests.clear()
    planned, listed = steps(
        plan(folder, "org/student", tag="v1"),
        {**push(folder, "org/student"), "do": "list"},
    )
    assert {request.method for request in hub.requests} <= {"GET", "HEAD"}
    here = contents(folder, (*PUBLISHED, "special_tokens_map.json"))
    expected = {name: "same" if there.get(name) == here[name] else "changed" for name in here}
    expected |= dict.fromkeys(set(here) - set(there), "new")
    expected["training_args.bin"] = "deleted"
    found, private, exists, trouble = planned["result"]
    assert {path: status for path, _, status in found} == expected and found[-1] == ["training_args.bin", 3, "deleted"]
    assert set(expected.values()) == {"new", "same", "changed", "deleted"}
    assert (private, exists, trouble) == (True, True, None) and listed["result"] == found

    (pushed,) = steps(push(folder, "org/student"))
    assert pushed["result"]["changed"] and files(hub, "org/student") == here


def _blob(content):
    from loopback_repository import Blob

    return Blob(content)


def test_who_may_push_is_known_before_and_asking_changes_nothing(hub, steps, tmp_path):
    hub.add_user("fine", TOKENS["fine"], role="fineGrained", orgs=("org", "lab"), scopes={"org": ["repo.write"]})
    folder = model_folder(tmp_path / "student")
    steps(push(folder, "org/public", private=False), push(folder, "ann/secret", private=True))
    hub.requests.clear()
    cases = {  # who, and where to: what is said; None where it is allowed
        ("ann", "org/new"): None,
        ("ann", "ann/new"): None,
        ("ann", "org/public"): None,
        ("bob", "bob/new"): None,
        ("fine", "org/public"): None,
        ("fine", "org/new"): None,
        ("nobody", "org/new"): "refused the token (401) for model org/new: set HF_TOKEN to a valid one",
        ("no one at all", "org/new"): "pushing model org/new needs a login: run `hf auth login`, or set HF_TOKEN.",
        ("rita", "org/public"): "the token of rita may only read",
        ("rita", "org/new"): "the token of rita may only read",
        ("bob", "org/public"): "the token may not write to model org/public (403)",
        ("bob", "org/new"): "bob does not belong to org. Push to bob/…, or log in with another account",
        ("bob", "ann/secret"): "there is no model ann/secret that your token may see, and it cannot be made",
        ("fine", "lab/new"): "the fine-grained token of fine lacks write access to the repositories of lab",
        ("fine", "fine/new"): "the fine-grained token of fine lacks write access to the repositories of fine",
        ("ann", "new"): "'new' names no owner: expected org/name",
        ("ann", "org/bad..name"): "'org/bad..name' is no repository name",
        ("ann", "datasets/org/x"): "is no repository name",
    }
    wanted = []
    for who, repo_id in cases:
        wanted += [login(who), check(repo_id)]
    results = steps(*wanted)[1::2]
    for (case, says), found in zip(cases.items(), results, strict=True):
        assert found.get("error") == (says and "HubError"), (case, found)
        assert says is None or says in found["text"], (case, found)
        assert says is None or not found["temporary"]
        assert not any(token[5:] in str(found) for token in TOKENS.values())
    assert {request.method for request in hub.requests} == {"GET"}
    assert len([r for r in hub.requests if "whoami" in r.path]) <= 5  # once for each token: the Hub counts these

    hub.requests.clear()
    _, shown, hidden, _, private, public, pushed = steps(
        login("bob"),
        plan(folder, "org/public"),
        plan(folder, "ann/secret"),
        login("ann"),
        check("org/public", private=True),
        check("ann/secret", private=False),
        push(folder, "ann/secret", private=False),
    )
    assert {status for _, _, status in shown["result"][0]} == {"same"} and "may not write" in shown["result"][3]
    assert hidden["result"][2] is False and "may see, and it cannot be made" in hidden["result"][3]
    assert "exists and is public, but is to be pushed as private" in private["text"]
    assert "exists and is private, but is to be pushed as public" in public["text"]
    assert pushed["text"].startswith(public["text"])
    assert "leave out --public to keep it private" in public["text"]
    assert {request.method for request in hub.requests} == {"GET"} and hub.repo("ann/secret").private


def test_trouble_that_passes_costs_waits_and_nothing_else(hub, steps, tmp_path):
    names = ("busy", "limited", "cut", "cut-long", "broken-commit", "lost-commit", "lost-tag", "briefly")
    folders = {name: model_folder(tmp_path / name, size=10 + number) for number, name in enumerate(names)}
    hub.fail("GET", "/api/models/org/busy/auth-check", status=503)
    hub.fail("POST", "/api/repos/create", status=503, headers={"Retry-After": "2"})  # of busy, the first
    hub.fail("POST", "/api/repos/create", lost=True)  # of busy, once more
    hub.fail("GET", "/api/models/org/limited/auth-check", status=429, headers={"Retry-After": "20"})
    hub.fail("PUT", large_file(folders["cut"]), cut=True)
    hub.fail("PUT", large_file(folders["cut-long"]), cut=True, times=7)  # the client gives up after six
    hub.fail("POST", "/api/models/org/broken-commit/commit", status=500, times=2)
    hub.fail("POST", "/api/models/org/lost-commit/commit", lost=True)
    hub.fail("POST", "/api/models/org/lost-tag/tag", lost=True)
    hub.fail("POST", "/api/models/org/briefly/preupload", status=429, headers={"Retry-After": "3"})
    found = dict(zip(names, steps(*[push(folders[name], f"org/{name}", tag="v1") for name in names]), strict=True))
    for name in names:
        head = hub.commits(f"org/{name}")[0]
        assert found[name].get("result", found[name]) == {
            "commit": head.oid,
            "url": f"{hub.url}/org/{name}",
            "changed": True,
        }
        assert len(hub.commits(f"org/{name}")) == 2 and hub.repo(f"org/{name}").tags == {"v1": head.oid}
        assert files(hub, f"org/{name}") == contents(folders[name])
    waits = {name: found[name]["slept"] for name in names}
    assert waits == {
        "busy": [1, 2, 5],  # the check; the repository, for which the Hub asks two seconds; and again
        "limited": [20],
        "cut": [1],  # the client's own
        "cut-long": [1, 2, 4, 8, 8, 5, 1],  # the client's, ours, the client's
        "broken-commit": [5, 25],
        "lost-commit": [5],
        "lost-tag": [1],
        "briefly": [4],  # the client's: a second more than it is told
    }


def test_trouble_that_stays_is_told_and_a_second_run_finishes_the_push(hub, steps, tmp_path):
    folder = model_folder(tmp_path / "student")
    save_file({"weight": np.ones(4)}, folder / "model-00002.safetensors")
    other = large_file(folder, "model-00002.safetensors")
    before = contents(folder, (*PUBLISHED, "model-00002.safetensors"))
    hub.fail("PUT", large_file(folder), cut=True, times=18)
    hub.fail("POST", "/api/models/org/limited/preupload", status=429, headers={"Retry-After": "900"}, times=99)
    hub.fail("*", "/api/models/org/broken", status=500, times=99)
    cut, finished, limited, broken, training = steps(
        push(folder, "org/student", private=True, tag="v1"),
        push(folder, "org/student", private=True, tag="v1"),
        push(folder, "org/limited", retry="make push"),
        push(folder, "org/broken", source="runs/broken"),
        push(folder, "org/limited", finished=False),
    )
    clients = [1, 2, 4, 8, 8]  # the client's own waits
    assert cut["slept"] == [*clients, 5, *clients, 25, *clients]
    assert cut["error"] == "HubError" and cut["temporary"]
    remedy = f"Try again with: python recipes/push.py {folder} org/student --private --tag v1"
    assert cut["text"].endswith(f" Nothing is lost, {folder} is whole. {remedy}")
    assert "cut the connection" in cut["text"]
    assert contents(folder, before) == before

    assert finished["result"]["changed"] and len(hub.commits("org/student")) == 2
    assert files(hub, "org/student") == before and hub.repo("org/student").tags == {"v1": hub.head("org/student")}
    assert [request.status for request in hub.requests if request.path == other] == [200]  # not sent again

    assert limited["slept"] == [] and not limited["temporary"]
    assert "limits how often it may be asked (429) and wants 900 seconds more" in limited["text"]
    assert limited["text"].endswith(f"Nothing is lost, {folder} is whole. When that is put right: make push")
    assert broken["slept"] == [1, 5, 25] and "an error of its own (500)" in broken["text"]
    assert "runs/broken is whole. Try again with: python recipes/push.py runs/broken org/broken" in broken["text"]
    assert "900 seconds" in training["text"] and "Nothing is lost" not in training["text"]


def test_a_hub_that_is_not_there_or_not_to_be_asked(hub, steps, tmp_path):
    folder = model_folder(tmp_path / "student")
    wanted = (plan(folder, "org/student", private=True), check("org/student"), push(folder, "org/student"))
    for variables, says in (
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 could not be reached"),
        (
            {"HF_HUB_OFFLINE": "1"},
            "offline mode is on (HF_HUB_OFFLINE), so model org/student cannot be pushed",
        ),
    ):
        planned, checked, pushed = steps(*wanted, **variables)
        listed, private, exists, trouble = planned["result"]
        assert listed == [[name, (folder / name).stat().st_size, None] for name in sorted(PUBLISHED)]
        assert (private, exists) == (True, None) and says in trouble and planned["slept"] == []
        assert says in checked["text"] and checked["slept"] in ([], [1])
        assert says in pushed["text"] and f"{folder} is whole" in pushed["text"]
    assert hub.requests == []


def test_tokens_are_refused_before_anything_is_asked(hub, steps, tmp_path):
    folder = model_folder(tmp_path / "student")
    (folder / "run.yaml").write_text(f"seed: 1\nhub_token: {TOKENS['nobody']}\n")
    clean = model_folder(tmp_path / "clean")
    pushed, planned, training, message = steps(
        push(folder, "org/student"),
        plan(folder, "org/student"),
        push(folder, "org/student", finished=False),
        push(clean, "org/student", message=f"with {TOKENS['nobody']}"),
    )
    for found in (pushed, planned, training):
        assert found["error"] == "SecretError"
        assert found["text"].startswith("run.yaml, line 2, holds an access token: nothing was sent.")
    assert message["error"] == "SecretError" and "the message given for the push" in message["text"]
    assert TOKENS["nobody"][5:] not in str((pushed, planned, training, message))
    assert hub.requests == []


def test_a_push_that_the_client_cuts_into_several_commits(hub, tmp_path):
    """As it does with Xet, which real users have; a Space of small files needs no storage of Xet's own."""
    space = tmp_path / "space"
    for number in range(12):
        (space / "hf_bionerkd").mkdir(parents=True, exist_ok=True)
        (space / "hf_bionerkd" / f"part_{number:02}.py").write_text(f"NUMBER = {number}\n")
    (space / "app.py").write_text("import hf_bionerkd\n")
    env = hub.environment(tmp_path / "home", TOKENS["ann"])
    del env["HF_HUB_DISABLE_XET"]
    cut_after_a_few_files = (
        "from huggingface_hub import _upload_pipeline as pipeline\n"
        "from huggingface_hub.utils._runtime import is_xet_available\nassert is_xet_available()\n"
        "pipeline.COMMIT_SIZE_SCALE[:] = [5] * len(pipeline.COMMIT_SIZE_SCALE)\n"
    )
    hub.fail("POST", "/api/spaces/org/demo/commit", status=503)
    pushed, same, _, smaller = run_steps(
        [
            push(space, "org/demo", "space", tag="v1", message="Publish"),
            push(space, "org/demo", "space", tag="v1"),
            {"do": "remove", "path": str(space / "hf_bionerkd" / "part_00.py")},
            push(space, "org/demo", "space"),
        ],
        env,
        tmp_path,
        before=cut_after_a_few_files,
    )
    titles = [commit.title for commit in hub.commits("org/demo", "space")]
    assert titles[1:] == ["Publish (part 3)", "Publish (part 2)", "Publish", "initial commit"]
    assert pushed["result"]["commit"] == hub.commits("org/demo", "space")[1].oid and pushed["result"]["changed"]
    assert hub.repo("org/demo", "space").tags == {"v1": pushed["result"]["commit"]}
    assert not same["result"]["changed"] and smaller["result"]["changed"]
    here = {str(path.relative_to(space)): path.read_bytes() for path in space.rglob("*.py")}
    assert {path: text for path, text in files(hub, "org/demo", "space").items() if path != "README.md"} == here
    assert hub.repo("org/demo", "space").sdk == "gradio"


def test_the_command_that_tries_again_says_all_that_was_said():
    assert push_command("runs/a b", PushOptions("org/x")) == "python recipes/push.py 'runs/a b' org/x"
    options = PushOptions("org/x", "dataset", False, "trial", "v1", "It's new")
    assert push_command("data/x", options) == (
        "python recipes/push.py data/x org/x --public --branch trial --tag v1 --message 'It'\"'\"'s new'"
    )


@pytest.mark.parametrize("name", ["v1", "v1.2.0-rc1", "2026/11", "trial_2", "a+b"])
def test_names_of_branches_and_tags_that_git_takes(name):
    _check_names(PushOptions("org/x", branch=name))
    _check_names(PushOptions("org/x", tag=name))


@pytest.mark.parametrize("name", ["", "v 1", "-v", "a..b", "a@b", "/a", "a/", "a//b", "v1.", "x.lock", "é", "0" * 40])
def test_names_of_branches_and_tags_that_it_does_not(name):
    for kind in ("branch", "tag"):
        with pytest.raises(HubError, match=f"cannot be the name of a {kind}"):
            _check_names(PushOptions("org/x", **{kind: name}))


@pytest.mark.parametrize("options", [{"branch": "v1", "tag": "v1"}, {"tag": "main"}])
def test_a_tag_is_no_branch(options):
    with pytest.raises(HubError, match="tag and branch are both called"):
        _check_names(PushOptions("org/x", **options))


def test_a_member_who_only_reads_cannot_make_a_repository():
    user = {"name": "ann", "orgs": [{"name": "org", "roleInOrg": "read"}, {"name": "lab", "roleInOrg": "admin"}]}
    with pytest.raises(HubError, match="ann may only read in org"):
        _check_namespace(PushOptions("org/x"), user, {"role": "write"})
    _check_namespace(PushOptions("lab/x"), user, {"role": "write"})
    _check_namespace(PushOptions("lab/x"), user, {})  # a token without a role, as applications have
