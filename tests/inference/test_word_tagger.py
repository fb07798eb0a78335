import random
import re

import numpy as np
import pytest
import torch

from hf_bionerkd.encoding.encoding import EncodingError
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer
from hf_bionerkd.inference.outputs import FLOOR
from hf_bionerkd.inference.word_tagger import WordTagger, longest_input

LABELS = ("B-Gene", "I-Gene", "O")
VOCABULARY = ["aspirin", "IL-2", "TP53", "deficiency", "-", "unheardofword", "\u200b", "(", "colon"]


def sentences(number=20, longest=40, seed=0):
    rng = random.Random(seed)
    return [[rng.choice(VOCABULARY) for _ in range(rng.randint(1, longest))] for _ in range(number)]


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
@pytest.mark.parametrize("overlap", [None, 0, 9])
def test_a_long_document_gets_what_a_model_of_longer_context_gives_pain_6(kind, overlap, request, make_token_model):
    tokenizer = request.getfixturevalue(kind)
    model = make_token_model(tokenizer, LABELS, max_position_embeddings=3000)
    (document,) = sentences(1, longest=500, seed=3)
    document = document * 2
    whole = WordTagger(model, tokenizer, max_length=3000)
    assert len(whole.encoder([document])[0]) == 1
    windowed = WordTagger(model, tokenizer, max_length=20, overlap=overlap)
    assert len(windowed.encoder([document])[0]) > 10
    (expected,), (found,) = whole.log_probs([document]), windowed.log_probs([document])
    assert found.shape == (len(document), 3)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_each_word_is_read_from_the_window_that_owns_it_pain_6(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)  # its answers depend on the context
    (document,) = sentences(1, longest=80, seed=1)
    tagger = WordTagger(model, wordpiece, max_length=20, overlap=12)
    (found,) = tagger.log_probs([document])
    (windows,) = tagger.encoder([document])
    differences = []
    for window in windows:
        ids = torch.tensor([[*tagger.prefix, *window.input_ids, *tagger.suffix]])
        with torch.inference_mode():
            values = model(input_ids=ids).logits[0, 1:-1].log_softmax(-1).numpy()
        for own, head, owned, word in zip(values, window.heads, window.owned, window.word_ids, strict=True):
            if head and owned:
                np.testing.assert_allclose(found[word], own, atol=1e-5)
            elif head:
                differences.append(np.abs(found[word] - own).max())
    assert max(differences) > 1e-3


def test_a_document_of_twenty_thousand_words_is_read_to_its_end_pain_4(wordpiece, make_token_model):
    model = make_token_model(wordpiece, LABELS, max_position_embeddings=512)
    tagger = WordTagger(model, wordpiece, max_length=512)
    (found,) = tagger.log_probs([["-", "("] * 10_000])
    first, second = tagger.log_probs([["-"], ["("]])
    assert not np.allclose(first, second, atol=1e-3)
    np.testing.assert_allclose(found, np.concatenate([first, second] * 10_000), atol=1e-5)


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_a_batch_gives_what_single_sentences_give_pain_2_pain_22(kind, request, make_bert):
    tokenizer = request.getfixturevalue(kind)
    model_type = "bert" if kind == "wordpiece" else "roberta"
    model = make_bert(len(tokenizer), LABELS, tokenizer.pad_token_id, model_type=model_type)
    texts = sentences()
    together = WordTagger(model, tokenizer, max_length=32, batch_size=7).log_probs(texts)
    alone = WordTagger(model, tokenizer, max_length=32, batch_size=1)
    for words, found in zip(texts, together, strict=True):
        np.testing.assert_allclose(found, alone.log_probs([words])[0], atol=1e-5)


def test_windows_are_batched_by_length_pain_22(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    shapes = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    WordTagger(model, wordpiece, max_length=64, batch_size=4).log_probs(
        [["-"] * n for n in (30, 1, 29, 2, 3, 28, 1, 27)]
    )
    assert shapes == [(4, 5), (4, 32)]


def test_progress_is_told_after_each_pass(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    tagger = WordTagger(model, wordpiece, max_length=12, batch_size=2)
    told = []
    found = tagger.log_probs([["-"] * 30, ["("]], lambda done, total: told.append((done, total)))
    (windows, one) = tagger.encoder([["-"] * 30, ["("]])
    total = len(windows) + len(one)
    assert total % 2 == 1  # the last pass is not full, and must not be told as if it were
    assert told == [(done, total) for done in (*range(2, total, 2), total)]
    for with_progress, without in zip(found, tagger.log_probs([["-"] * 30, ["("]]), strict=True):
        assert np.array_equal(with_progress, without)
    assert tagger.log_probs([[]], lambda *_: told.clear()) and told


def test_rows_are_distributions_and_equal_the_model_s_own_softmax(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    words = ["IL-2", "aspirin"]
    (found,) = WordTagger(model, wordpiece).log_probs([words])
    encoded = wordpiece(words, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        expected = model(input_ids=encoded["input_ids"]).logits[0].log_softmax(-1).numpy()
    heads = [encoded.word_ids().index(word) for word in range(2)]
    np.testing.assert_allclose(found, expected[heads], atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(-1), 1.0, atol=1e-5)
    assert found.dtype == np.float32


def test_words_without_pieces_are_certainly_outside_pain_11(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    tagger = WordTagger(model, wordpiece)
    found, empty, blank = tagger.log_probs([["\u200b", "IL-2", " "], [], ["\n"]])
    assert found[[0, 2]].tolist() == [[FLOOR, FLOOR, 0.0]] * 2 and blank.tolist() == [[FLOOR, FLOOR, 0.0]]
    np.testing.assert_allclose(found[1], tagger.log_probs([["IL-2"]])[0][0], atol=1e-5)
    assert empty.shape == (0, 3) and tagger.log_probs([]) == []
    np.testing.assert_allclose(np.exp(found).sum(-1), 1.0, atol=1e-5)


def test_certainty_is_bounded(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS)
    with torch.no_grad():
        model.classifier.bias.copy_(torch.tensor([500.0, 0.0, 0.0]))
    (found,) = WordTagger(model, wordpiece).log_probs([["aspirin"]])
    assert found[0].tolist() == [0.0, FLOOR, FLOOR]


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_asked_without_dropout_and_left_as_it_was(wordpiece, make_bert, training):
    model = make_bert(len(wordpiece), LABELS, hidden_dropout_prob=0.5).train(training)
    tagger = WordTagger(model, wordpiece)
    one, other = tagger.log_probs([["aspirin", "IL-2"]]), tagger.log_probs([["aspirin", "IL-2"]])
    assert np.array_equal(one, other) and model.training is training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_the_mode_is_restored_after_a_failure_too(wordpiece, make_bert):
    model = make_bert(len(wordpiece), LABELS).train()

    def fail(*_):
        raise RuntimeError("out of memory")

    model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        WordTagger(model, wordpiece).log_probs([["aspirin"]])
    assert model.training


def test_tags_stand_around_the_text_and_take_its_room(wordpiece, make_bert):
    tags = TagPairs("corpus", {"BC2GM": ("Gene",)}, neutral=True)
    tokenizer = add_tag_tokens(wordpiece, tags)
    model = make_bert(len(tokenizer), LABELS)
    seen = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: seen.extend(inputs["input_ids"].tolist()), with_kwargs=True
    )
    tagger = WordTagger(model, tokenizer, max_length=12, around=tags.around("BC2GM"))
    tagger.log_probs([["-"] * 30])
    assert len(seen) > 3 and {len(ids) for ids in seen} == {12}
    seen = [[token for token in ids if token != tokenizer.pad_token_id] for ids in seen]
    ends = {tuple(tokenizer.convert_ids_to_tokens([*ids[:2], *ids[-2:]])) for ids in seen}
    assert ends == {("[CLS]", "<BC2GM>", "</BC2GM>", "[SEP]")}


def test_a_tag_that_the_tokenizer_does_not_know_is_refused(wordpiece, make_bert):
    """It would be read as [UNK]."""
    model = make_bert(len(wordpiece), LABELS)
    with pytest.raises(EncodingError, match=re.escape("does not know the tags ['</BC2GM>', '<BC2GM>']")):
        WordTagger(model, wordpiece, around=(["<BC2GM>"], ["</BC2GM>"]))


def test_a_published_student_s_own_default_tag_is_used(wordpiece, make_bert, tmp_path):
    from transformers import AutoTokenizer

    tags = TagPairs("corpus", {"BC2GM": ("Gene",)}, neutral=True)
    save_tokenizer(wordpiece, tmp_path, tags)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    model = make_bert(len(loaded), LABELS)
    published = WordTagger(model, loaded)
    explicit = WordTagger(model, add_tag_tokens(wordpiece, tags), around=tags.around("all"))
    assert published.prefix == explicit.prefix and published.suffix == explicit.suffix
    words = [["IL-2", "deficiency"]]
    assert np.array_equal(published.log_probs(words), explicit.log_probs(words))


@pytest.mark.parametrize(
    ("model_type", "positions", "limit", "longest"),
    [
        ("bert", 40, 10**30, 40),
        ("bert", 40, 24, 24),
        ("roberta", 66, 10**30, 65),  # positions count from behind the padding id, here 0
        ("roberta", 66, 32, 32),
        ("bert", 4096, 10**30, 512),
    ],
)
def test_the_longest_input_is_what_model_and_tokenizer_take_pain_4(
    wordpiece, make_bert, model_type, positions, limit, longest
):
    tokenizer = add_tag_tokens(wordpiece, TagPairs("none", {}))
    tokenizer.model_max_length = limit
    model = make_bert(len(tokenizer), LABELS, model_type=model_type, max_position_embeddings=positions)
    assert longest_input(model, tokenizer) == longest
    (found,) = WordTagger(model, tokenizer).log_probs([["-"] * (2 * longest)])
    assert found.shape == (2 * longest, 3)
