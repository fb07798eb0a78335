"""`recipes/push.py` as it is called: models with their cards, Spaces, and errors that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from loopback_hub import TOKENS
from pushing import REPOSITORY, contents, load_script, model_folder, run_programs

from hf_bionerkd.evaluation.entities import Counts
from hf_bionerkd.evaluation.report import Metrics, Result, write_metrics
from hf_bionerkd.hub.cards import ModelCardInfo, save_model_card
from hf_bionerkd.hub.human_card import HumanCard
from hf_bionerkd.hub.provenance import write_provenance

PROGRAM = "recipes/push.py"


@pytest.fixture
def commands(hub, tmp_path):
    """Runs `recipes/push.py` once for each list of words, beside the folders of the test; as ann, or as `tokens`."""

    def run(*calls, tokens=("ann",), **variables):
        tokens = tokens * len(calls) if len(tokens) == 1 else tokens
        wanted = [(words, {"HF_TOKEN": TOKENS[token]}) for words, token in zip(calls, tokens, strict=True)]
        return run_programs(PROGRAM, wanted, hub.environment(tmp_path / "home") | variables, tmp_path)

    return run


@pytest.fixture
def student(tmp_path):
    """A finished model of this package, whose card can be rendered again."""
    folder = model_folder(tmp_path / "student")
    metrics = Metrics((Result("student", "BC2GM", "Gene", Counts(8, 1, 2)),))
    info = ModelCardInfo(
        "student", ("Gene",), ("O", "B-Gene", "I-Gene"), human=HumanCard(limits="Untested."), metrics=metrics
    )
    write_provenance(folder / "provenance.json", info)
    write_metrics(folder / "metrics.json", metrics)
    save_model_card(folder, info)
    return folder


def files(hub, repo_id, repo_type="model"):
    return {path: text for path, text in hub.files(repo_id, repo_type).items() if path != ".gitattributes"}


def everything_in(folder):
    return contents(folder, [path.name for path in folder.iterdir() if path.is_file()])


def test_a_student_is_pushed_with_its_card_under_its_new_name(hub, commands, student, tmp_path):
    before = everything_in(student)
    (tmp_path / "card.yaml").write_text("license: mit\nauthors: [A. Author]\nintended_use: Reading abstracts.\n")
    (listed,) = commands(("student", "org/student", "--dry-run", "--card", "card.yaml", "--private"))
    assert listed.returncode == 0, listed.stderr
    assert {request.method for request in hub.requests} == {"GET"} and not hub.has("org/student")
    assert everything_in(student) == before  # not even the card was touched
    assert not {"torch", "transformers", "datasets"} & set(listed.modules)  # a push starts at once

    pushed, again, moved = commands(
        ("student", "org/student", "--card", "card.yaml", "--private", "--tag", "v1"),
        ("student", "org/student", "--tag", "v1"),
        ("student", "ann/student", "--public"),
    )
    assert pushed.returncode == 0, pushed.stderr
    head = hub.head("org/student")
    assert pushed.stdout == f"pushed student: {hub.url}/org/student (branch main, commit {head[:7]}, tag v1)\n"
    there = files(hub, "org/student")
    lines = {line.split()[-1]: line for line in listed.stdout.splitlines() if line.startswith("  new ")}
    assert set(lines) == set(there)
    assert f" {len(there['README.md']) / 1000:.1f} kB" in lines["README.md"]  # listed as it was then pushed
    card = there["README.md"].decode()
    assert "# org/student" in card and "Reading abstracts." in card and "Untested." not in card
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "mit"
    assert {name: text for name, text in there.items() if name not in ("README.md", "provenance.json")} == {
        name: before[name] for name in there if name not in ("README.md", "provenance.json")
    }

    assert again.returncode == 0 and again.stdout.startswith("nothing new in student: "), again.stderr
    assert hub.head("org/student") == head and len(hub.commits("org/student")) == 2
    assert moved.returncode == 0, moved.stderr
    copy = files(hub, "ann/student")["README.md"].decode()
    assert copy == card.replace("org/student", "ann/student")  # what people said is remembered
    assert not hub.repo("ann/student").private


def test_refusals_are_one_line_with_the_command_that_tries_again(hub, commands, student):
    before = everything_in(student)
    words = ("student", "org/student", "--tag", "v1")
    nobody, rita, bob = commands(words, words, words, tokens=("nobody", "rita", "bob"))
    (unreachable,) = commands(words, HF_ENDPOINT="http://127.0.0.1:9")
    for done, says in (
        (nobody, "refused the token (401)"),
        (rita, "may only read"),
        (bob, "bob does not belong to org"),
        (unreachable, "http://127.0.0.1:9 could not be reached"),
    ):
        assert done.returncode == 1 and done.stdout == "" and "Traceback" not in done.stderr
        assert done.last.startswith("error: ") and says in done.last
        assert "Nothing is lost, student is whole." in done.last
        assert done.last.endswith(f": python {REPOSITORY / PROGRAM} student org/student --tag v1")
        assert not any(secret[5:] in done.stderr for secret in TOKENS.values())
    assert everything_in(student) == before and not hub.has("org/student")
    (shown,) = commands(words, tokens=("bob",), BIONERKD_DEBUG="1")
    assert "Traceback" in shown.stderr and TOKENS["bob"] not in shown.stderr


def test_a_cut_connection_leaves_all_and_the_same_command_finishes(hub, commands, student):
    hub.fail("PUT", "/lfs/", cut=True, times=18)
    words = ("student", "org/student", "--public")
    cut, finished = commands(words, words)
    again = f"Try again with: python {REPOSITORY / PROGRAM} student org/student --public"
    assert cut.returncode == 1 and cut.last.endswith(again) and "Traceback" not in cut.stderr
    assert finished.returncode == 0, finished.stderr
    assert files(hub, "org/student") == contents(student, files(hub, "org/student"))
    assert "model.safetensors" in files(hub, "org/student") and not hub.repo("org/student").private


def test_a_model_of_others_keeps_its_card_and_a_corpus_is_known_by_its_manifest(hub, commands, tmp_path):
    teacher, corpus = model_folder(tmp_path / "teacher"), tmp_path / "corpus"
    (corpus / "data").mkdir(parents=True)
    for name in ("README.md", "manifest.json", "data/train.parquet"):
        (corpus / name).write_text("{}")
    (tmp_path / "card.yaml").write_text("license: mit\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "student").symlink_to(teacher)
    first, second, no_card, no_model, run, absent = commands(
        ("teacher", "ann/teacher"),
        ("corpus", "ann/corpus"),
        ("teacher", "ann/teacher", "--card", "card.yaml"),
        ("corpus", "ann/corpus", "--card", "card.yaml"),
        ("run", "ann/x"),
        ("absent", "ann/x"),
    )
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert files(hub, "ann/teacher")["README.md"] == (teacher / "README.md").read_bytes()
    assert set(files(hub, "ann/corpus", "dataset")) == {"README.md", "manifest.json", "data/train.parquet"}
    assert [done.returncode for done in (no_card, no_model, run, absent)] == [1] * 4
    assert no_card.stderr.startswith("error: --card: teacher lacks provenance.json or metrics.json")
    assert no_model.stderr.startswith("error: --card is for models")
    neither = "run holds neither a model (config.json) nor a corpus (manifest.json). Did you mean run/student?"
    assert run.stderr == f"error: {neither}\n" and absent.stderr == "error: no folder absent\n"


def test_a_space_offers_students_and_runs_the_code_that_is_here(hub, commands, student, tmp_path):
    space = ("--space", "org/demo", "--students", "org/student@v1", "org/hidden")
    _, _, pushed, again, folder, absent, listed = commands(
        ("student", "org/student", "--public", "--tag", "v1"),
        ("student", "org/hidden", "--private"),
        space,
        space,
        ("--space", "org/other", "--students", "student"),
        ("--space", "org/other", "--students", "org/absent@v1"),
        ("--space", "org/other", "--students", "org/student", "--dry-run"),
    )
    assert pushed.returncode == again.returncode == 0, pushed.stderr + again.stderr
    assert "org/hidden is private: give the Space a secret HF_TOKEN" in pushed.stderr
    assert again.stdout.startswith("nothing new in ") and len(hub.commits("org/demo", "space")) == 2
    there = files(hub, "org/demo", "space")
    assert json.loads(there.pop("students.json")) == {
        "students": [{"id": "org/student", "revision": "v1"}, {"id": "org/hidden", "revision": None}]
    }
    pages = {path.name: path.read_bytes() for path in (REPOSITORY / "recipes" / "space").iterdir() if path.is_file()}
    assert {path: text for path, text in there.items() if "/" not in path} == pages
    assert hub.repo("org/demo", "space").sdk == "gradio"
    assert yaml.safe_load(pages["README.md"].decode().split("---\n")[1])["sdk"] == "gradio"

    assert folder.returncode == 1 and folder.last.startswith("error: student 'student' is a folder here")
    assert absent.returncode == 1 and absent.last.startswith("error: there is no model org/absent")
    assert (
        listed.returncode == 0 and "  hf_bionerkd/hub/push.py" in listed.stdout and "  students.json" in listed.stdout
    )
    assert not hub.has("org/other", "space")

    machine = tmp_path / "machine"
    for path, text in there.items():
        (machine / path).parent.mkdir(parents=True, exist_ok=True)
        (machine / path).write_bytes(text)
    program = "import hf_bionerkd.labels; print(hf_bionerkd.labels.__file__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=machine, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(machine / "hf_bionerkd" / "labels.py")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("folder",),
        ("folder", "org/name", "--space", "org/demo", "--students", "org/a"),
        ("--space", "org/demo"),
        ("folder", "org/name", "--students", "org/a"),
        ("folder", "--space", "org/demo", "--students", "org/a"),
        ("--space", "org/demo", "--card", "card.yaml", "--students", "org/a"),
        ("folder", "org/name", "--private", "--public"),
    ],
)
def test_command_lines_that_mean_nothing_are_refused(words, capsys):
    with pytest.raises(SystemExit) as caught:
        load_script(PROGRAM)["main"](words)
    assert caught.value.code == 2 and "error:" in capsys.readouterr().err
