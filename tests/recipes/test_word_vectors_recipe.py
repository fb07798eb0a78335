"""recipes/word_vectors.py as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hf_bionerkd.corpora.articles import Article, write_articles
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.train_vectors import WordVectorsConfig
from hf_bionerkd.vectors.word_vectors import load_word_vectors

pytest.importorskip("gensim", reason="gensim is not installed: pip install 'hf_bionerkd[vectors]'")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def config(tmp_path):
    """A configuration of a quick run, and the folder that it makes."""
    write_articles(tmp_path / "a.jsonl.gz", [Article(str(n), f"aspirin for gout {n % 3}") for n in range(30)])
    (tmp_path / "leaks.txt").write_text("0\tpmid\n3\ttext\nelsewhere\tsentence\n")
    values = {
        "output_dir": str(tmp_path / "vectors" / "out"),
        "sources": ["$SOME_CORPORA/a.jsonl.gz"],
        "leave_out": str(tmp_path / "leaks.txt"),
        "skip_gram": {"width": 4, "epochs": 1, "workers": 1},
        "show": ["aspirin", "nowhere"],
    }
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "run.yaml"


def run(config, *overrides, **environment):
    inherited = {key: value for key, value in os.environ.items() if key != "SOME_CORPORA"}
    return subprocess.run(
        [sys.executable, REPOSITORY / "recipes" / "word_vectors.py", "--config", config, *overrides],
        env={**inherited, "PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_leaves_a_whole_folder_and_says_what_it_holds(config):
    result = run(config, "skip_gram.lowercase=true", SOME_CORPORA=str(config.parent))
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "30 articles, 2 left out; 112 words"
    assert lines[-3].startswith("aspirin: ") and lines[-2] == "nowhere: has no vector"
    assert lines[-1] == f"vectors: {config.parent / 'vectors' / 'out'} (6 words, 4 numbers each)"
    vectors = load_word_vectors(config.parent / "vectors" / "out")
    assert set(vectors.words) == {"aspirin", "for", "gout", "0", "1", "2"} and vectors.lowercase
    stated = yaml.safe_load((config.parent / "vectors" / "out" / "vectors.yaml").read_text())
    assert stated["leave_out"]["file"] == "leaks.txt" and stated["leave_out"]["ids"] == 3
    assert [path.name for path in (config.parent / "vectors").iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("overrides", "environment", "message"),
    [
        ([], {}, "error: $SOME_CORPORA/a.jsonl.gz: the environment variable in this path is not set"),
        (["sources=[none.jsonl]"], {}, "error: [Errno 2] No such file or directory: 'none.jsonl'"),
        (["leave_out=none.txt", "sources=[a]"], {}, "error: leave_out: there is no file none.txt; "),
        (["skip_gram.width=0"], {}, "error: width must be greater than 0, not 0"),
        (["skip_gram.size=5"], {}, "unknown key `skip_gram.size`"),
    ],
)
def test_a_users_mistake_is_one_clear_line_and_leaves_nothing(config, overrides, environment, message):
    result = run(config, *overrides, **environment)
    assert result.returncode == 1
    assert message in result.stderr and "Traceback" not in result.stderr
    assert not [path for path in config.parent.rglob("*") if path.is_file() and "out" in path.name]


def test_what_is_there_is_not_overwritten_unasked_nor_trained_for_nothing(config):
    out = config.parent / "vectors" / "out"
    out.mkdir(parents=True)
    (out / "old").write_text("old")
    refused = run(config, SOME_CORPORA=str(config.parent))
    assert refused.returncode == 1 and "out exists already" in refused.stderr and not refused.stdout
    assert [path.name for path in out.iterdir()] == ["old"]
    replaced = run(config, "overwrite=true", SOME_CORPORA=str(config.parent))
    assert replaced.returncode == 0, replaced.stderr
    assert load_word_vectors(out).width == 4


def test_the_configuration_of_the_paper_fits_the_script():
    found = sorted((REPOSITORY / "recipes").rglob("word_vectors*.yaml"))
    assert REPOSITORY / "recipes" / "zhou2021" / "word_vectors.yaml" in found
    for path in found:
        config = load_config(WordVectorsConfig, path)
        assert config.skip_gram.width == 100
        assert not config.overwrite and config.sources
        assert config.leave_out == "data/cdwc/set_aside.jsonl"  # no model may have seen a test document
        assert config.skip_gram.workers == 1  # with more, no two runs give the same vectors
        assert not Path(config.output_dir).is_absolute()
