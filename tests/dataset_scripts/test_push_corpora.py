"""`--push` of the programs that build corpora."""

from __future__ import annotations

import re

import pytest
from loopback_hub import TOKENS
from pushing import REPOSITORY, run_programs

from hf_bionerkd.hub.command_line import human_size

CORPORA = ("demo-disease", "demo-chemical", "demo-gene")
SMALL = ("--train", "40", "--validation", "10", "--test", "30")


@pytest.fixture
def commands(hub, tmp_path):
    """Runs a `dataset_scripts/<corpus>/build.py` once for each list of words, as ann or as `tokens`."""

    def run(corpus, *calls, tokens=("ann",)):
        tokens = tokens * len(calls) if len(tokens) == 1 else tokens
        wanted = [(words, {"HF_TOKEN": TOKENS[token]}) for words, token in zip(calls, tokens, strict=True)]
        return run_programs(f"dataset_scripts/{corpus}/build.py", wanted, hub.environment(tmp_path / "home"), tmp_path)

    return run


def here(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def there(hub, repo_id):
    return {path: text for path, text in hub.files(repo_id, "dataset").items() if path != ".gitattributes"}


def test_the_three_demo_corpora_are_built_and_pushed(hub, commands, tmp_path):
    words = ("--output", "demo", *SMALL, "--push", "org/demo", "--private", "--tag", "v1")
    refused, listed = commands("demo", words, ("--output", "listed", *words[2:], "--dry-run"), tokens=("bob", "ann"))
    assert refused.returncode == 1 and refused.last.startswith("error: ")
    assert (
        "bob does not belong to org" in refused.last and not (tmp_path / "demo").exists()
    )  # known before it is built
    assert listed.returncode == 0, listed.stderr
    assert {request.method for request in hub.requests} == {"GET"}
    for corpus in CORPORA:
        assert f"listed/{corpus} would be pushed to dataset org/{corpus} (branch main, tag v1)" in listed.stdout
        for name, content in here(tmp_path / "listed" / corpus).items():
            assert re.search(rf"  new  +{re.escape(human_size(len(content)))}  {re.escape(name)}\n", listed.stdout)

    hub.fail("POST", "/api/datasets/org/demo-gene/preupload", status=429, headers={"Retry-After": "999"})
    limited, finished = commands("demo", (*words, "--overwrite"), words)
    assert limited.returncode == 1 and "demo/demo-gene is whole" in limited.last
    program = REPOSITORY / "dataset_scripts" / "demo" / "build.py"
    assert limited.last.endswith(f": python {program} {' '.join(words)}")
    assert finished.returncode == 0, finished.stderr
    done = [f"{corpus}: unchanged" for corpus in CORPORA]
    done += [
        f"{what}: {hub.url}/datasets/org/{corpus} (branch main, commit "
        f"{hub.head(f'org/{corpus}', 'dataset')[:7]}, tag v1)"
        for what, corpus in zip(
            ("nothing new in demo/demo-disease", "nothing new in demo/demo-chemical", "pushed demo/demo-gene"),
            CORPORA,
            strict=True,
        )
    ]
    assert finished.stdout.splitlines() == done
    for corpus in CORPORA:
        assert there(hub, f"org/{corpus}") == here(tmp_path / "demo" / corpus)
        repository = hub.repo(f"org/{corpus}", "dataset")
        assert repository.private and repository.tags == {"v1": hub.head(f"org/{corpus}", "dataset")}
        assert len(hub.commits(f"org/{corpus}", "dataset")) == 2


def test_a_corpus_in_columns_is_built_and_pushed(hub, commands, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("train.tsv", "devel.tsv", "test.tsv"):
        (source / name).write_text(f"Gout\tB-Disease\nhurts\tO\nin\tO\n{name}\tO\n.\tO\n\n")
    words = ("--source", "source", "--output", "corpus", "--no-check-counts")
    idle, pushed, missing = commands(
        "ncbi_disease",
        ("--source", "source", "--output", "idle", "--tag", "v1"),
        (*words, "--push", "ann/ncbi", "--public", "--message", "First"),
        ("--source", "absent", "--output", "other"),
    )
    assert (idle.returncode, idle.stdout) == (1, "") and not (tmp_path / "idle").exists()
    assert idle.stderr == "error: --tag: only of use for a push; give --push, too\n"
    assert pushed.returncode == 0, pushed.stderr
    head = hub.commits("ann/ncbi", "dataset")[0]
    assert pushed.stdout == (
        f"corpus: built\npushed corpus: {hub.url}/datasets/ann/ncbi (branch main, commit {head.oid[:7]})\n"
    )
    assert head.title == "First" and there(hub, "ann/ncbi") == here(tmp_path / "corpus")
    assert missing.returncode == 1 and missing.stderr.startswith("error: absent lacks train.tsv")
