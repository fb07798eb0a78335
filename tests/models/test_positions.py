"""The longest input, read off models of many kinds (on the meta device: no weights are made)."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, AutoModelForTokenClassification

from hf_bionerkd.models.positions import longest_input_of, padding_of_positions
from hf_bionerkd.models.text import without_surrogates

RELATIVE = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"]}


@pytest.mark.parametrize(
    ("model_type", "values", "longest", "padding"),
    [
        ("bert", {}, 512, None),
        ("roberta", {"max_position_embeddings": 514, "pad_token_id": 1}, 512, 1),
        ("roberta", {"max_position_embeddings": 514, "pad_token_id": 7}, 506, 7),
        ("camembert", {"max_position_embeddings": 514, "pad_token_id": 1}, 512, 1),
        ("mpnet", {"max_position_embeddings": 514}, 512, 1),
        ("ibert", {"max_position_embeddings": 514, "pad_token_id": 1}, 512, 1),
        ("longformer", {"max_position_embeddings": 4098, "pad_token_id": 1}, 4096, 1),
        ("nystromformer", {}, 510, None),  # a table of 512, of which the first two are not for text
        ("deberta-v2", RELATIVE, None, None),
        ("deberta-v2", {**RELATIVE, "position_biased_input": True}, 512, None),
        ("t5", {}, None, None),
        ("xlnet", {}, None, None),  # its configuration states -1
        ("bloom", {}, None, None),
        ("gpt2", {}, 1024, None),
        ("llama", {"max_position_embeddings": 4096}, 4096, None),
        ("mpt", {}, 2048, None),
    ],
)
def test_the_bound_is_the_models_own(model_type, values, longest, padding):
    config = AutoConfig.for_model(model_type, **values)
    for name in ("num_hidden_layers", "num_layers"):
        if hasattr(config, name):
            setattr(config, name, 1)
    with torch.device("meta"):
        model = AutoModelForTokenClassification.from_config(config)
    assert (longest_input_of(model), padding_of_positions(model)) == (longest, padding)


def test_surrogates_are_replaced_one_by_one_so_that_offsets_hold():
    text = "a\ud83d\ude00b\udfff\ud800 😀"  # two halves that were never joined, and two that have no other half
    assert without_surrogates(text) == "a\ufffd\ufffdb\ufffd\ufffd 😀"
    assert without_surrogates("naïve 😀") == "naïve 😀"
