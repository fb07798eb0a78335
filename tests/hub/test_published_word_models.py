"""Models with a CRF on a Hub: fetched by strangers, who trust the code that comes with the weights and have no other.

Each reader is a fresh process that cannot import this package, and whose libraries know no Hub but the loop-back one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fresh import run_fresh
from loopback_hub import TOKENS, LoopbackHub
from transformers import pipeline
from word_models import make_bilstm, make_transformer

from hf_bionerkd.encoding.tag_pairs import TagPairs
from hf_bionerkd.training.student import save_student

pytestmark = pytest.mark.slow

SERIES4 = Path(sys.prefix) / "transformers-4.57"
# Words that no vocabulary knows, signs, two blanks, a line's end; and a text of several windows.
TEXT = "Ibuprofenase, given against lung cancer (and fever), induces type-2 asthma in naïve  patients.\n"
TEXTS = [TEXT, TEXT * 12]
PUSH = """
import sys
from hf_bionerkd.hub.push import PushOptions, push_folder

for name in sys.argv[1:]:
    push_folder(name, PushOptions(repo_id="org/" + name))
"""
READ = """
import json, sys

sys.modules["hf_bionerkd"] = None  # importing it fails
from transformers import pipeline

said = {}
for name in sys.argv[1:]:
    try:
        pipeline("token-classification", "org/" + name, trust_remote_code=False)
        said[name, "refused"] = ""
    except ValueError as error:
        said[name, "refused"] = str(error)
    tagger = pipeline("token-classification", "org/" + name, trust_remote_code=True, aggregation_strategy="simple")
    assert type(tagger).__module__.startswith("transformers_modules."), type(tagger)
    said[name, "found"] = [
        [(m["entity_group"], m["start"], m["end"], m["word"], m["score"]) for m in tagger(text)]
        for text in TEXTS
    ]
print(json.dumps([[*key, value] for key, value in said.items()]))
"""


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {"bilstm": make_bilstm(), "transformer": make_transformer()}


@pytest.fixture(scope="module")
def published(models: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    folder = tmp_path_factory.mktemp("published")
    for name, (model, tokenizer) in models.items():
        save_student(folder / name, model, tokenizer, TagPairs("none", {}))
    with LoopbackHub() as hub:
        hub.add_user("ann", TOKENS["ann"], orgs=("org",))
        run_fresh(PUSH, hub.environment(folder / "home", TOKENS["ann"]), folder, *models)
        yield hub


@pytest.mark.parametrize("series", ["5", "4.57"])
def test_a_stranger_who_trusts_the_code_finds_what_is_found_at_home(
    models: dict[str, Any], published: LoopbackHub, tmp_path: Path, series: str
) -> None:
    environment = dict(published.environment(tmp_path / "home"))
    if series == "4.57":
        if not SERIES4.is_dir():
            pytest.skip("transformers 4.57 is not beside the environment: make .venv/.installed-transformers-4.57")
        environment["PYTHONPATH"] = str(SERIES4)
    done = run_fresh(f"TEXTS = {TEXTS!r}\n{READ}", environment, tmp_path, *models)
    said = {(name, what): value for name, what, value in json.loads(done.stdout.splitlines()[-1])}
    for name, (model, tokenizer) in models.items():
        assert "trust_remote_code=True" in said[name, "refused"] and f"org/{name}" in said[name, "refused"]
        tagger = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple")
        for text, found in zip(TEXTS, said[name, "found"], strict=True):
            here = [(m["entity_group"], m["start"], m["end"], m["word"], m["score"]) for m in tagger(text)]
            assert len(found) > 2 and [tuple(mention[:4]) for mention in found] == [m[:4] for m in here]
            assert [mention[4] for mention in found] == pytest.approx([m[4] for m in here], abs=1e-5)
            assert all(text[start:end] == word for _, start, end, word, _ in found)
