"""What the tests of recipes/space share: its modules made importable, and students small enough for a test."""

from __future__ import annotations

import sys
from pathlib import Path

import tiny

from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer

SPACE = Path(__file__).parents[2] / "recipes" / "space"
TAGS = TagPairs("corpus", {"chem": ("Chemical",), "gene": ("Gene",)}, neutral=True)
TYPES = ("Disease", "Chemical", "Gene")

if str(SPACE) not in sys.path:
    sys.path.append(str(SPACE))


def save_student(
    folder: Path,
    labels: tuple[str, ...] = tiny.bio(*TYPES),
    tags: TagPairs | None = TAGS,
    seed: int = 2,
) -> str:
    """A random student as the recipes publish it; returns its path."""
    import torch

    pairs = tags or TagPairs("none", {})
    tokenizer = add_tag_tokens(tiny.wordpiece(), pairs)
    # Larger weights than at the start of a training: context and tags must make a difference.
    model = tiny.build_model(labels, tokenizer, seed, initializer_range=0.3)
    model.config.bionerkd_tag_pairs = pairs.as_config()
    with torch.no_grad():
        model.classifier.weight.mul_(0.02)
        model.classifier.bias[labels.index("O")] = 1.5  # many words are in no mention
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, pairs)
    return str(folder)
