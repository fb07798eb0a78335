"""The pipeline of word-level models: Viterbi, marginals, offsets, long text; in this process and in a fresh one."""

from __future__ import annotations

import json
import os

import pytest
import tiny
import torch
from fresh import run_fresh
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, TokenClassificationPipeline, pipeline
from word_models import SPACE, make_bilstm, make_transformer

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens, save_tokenizer, set_default_tag
from hf_bionerkd.labels import tags_to_spans
from hf_bionerkd.models.auto import carry_code
from hf_bionerkd.models.pipelines import WordTaggingPipeline

TEXT = "Ibuprofenase, given against lung cancer (and fever), induces type-2 asthma in naïve  patients.\n"


@pytest.fixture(scope="module")
def bilstm():
    return make_bilstm()


@pytest.fixture(scope="module")
def transformer():
    return make_transformer()


@pytest.fixture(scope="module", params=["bilstm", "softmax", "transformer", "byte_level"])
def tagger(request):
    if request.param == "transformer":
        return make_transformer()
    if request.param == "byte_level":
        tokenizer = tiny.byte_level_bpe()
        tokenizer.model_max_length = 128
        return make_transformer(tokenizer, model_type="roberta", max_position_embeddings=130)
    return make_bilstm(output_layer="softmax" if request.param == "softmax" else "crf")


def pipe(pair, **options):
    model, tokenizer = pair
    return pipeline("token-classification", model=model, tokenizer=tokenizer, device="cpu", **options)


def expected_groups(pair, text):
    """Mentions by this package's own reading of words, and of tags."""
    model, tokenizer = pair
    words = split_words(text)
    batch = tokenizer([text[a:b] for a, b in words], is_split_into_words=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    output = model(**batch)
    tags, scores = model.decode(output.emissions, output.word_mask)
    labels = [SPACE.labels[tag] for tag in tags[0]]
    found = []
    for first, last, kind in tags_to_spans(labels):
        start, end = words[first][0], words[last - 1][1]
        found.append((kind, text[start:end], start, end, scores[0, first:last].exp().mean().item()))
    return found


def rows(groups):
    return [(g["entity_group"], g["word"], g["start"], g["end"], pytest.approx(g["score"], abs=1e-5)) for g in groups]


@pytest.mark.parametrize("strategy", ["simple", "first", "average", "max"])
def test_groups_are_viterbis_mentions_scored_by_marginals(tagger, strategy):
    found = pipe(tagger, aggregation_strategy=strategy)(TEXT)
    assert len(found) > 2
    assert rows(found) == expected_groups(tagger, TEXT)
    assert all(type(group["score"]) is float for group in found)
    json.dumps(found)


ODD_TEXTS = {
    "empty": "",
    "blank": " \t\r\n\u00a0\u2003",
    "separators": "\x1c\x1f fever\x1c",
    "emoji": "😀 aspirin💊 for fever 👩\u200d⚕\ufe0f",
    "combining": "nai\u0308ve Sjo\u0308gren e\u0301\u0323 \u0301",
    "tabs": "\taspirin\tfor\t\tfever\t",
    "NUL": "\0aspi\0rin fever\0 \0",
    "control": "\ufeffaspirin\u200b fever\u00ad\x07",
}


@given(text=st.text(st.sampled_from("aspirn BRCA1-2(é)ß\u200b\t\n\0\u00a0😀e\u0301\x1c,lung cancer"), max_size=60))
@settings(max_examples=25, deadline=None)
def test_offsets_are_right_in_any_text_pain_8(tagger, text):
    check_offsets(tagger, text)


@pytest.mark.parametrize("name", ODD_TEXTS)
def test_offsets_are_right_in_odd_texts(tagger, name):
    check_offsets(tagger, ODD_TEXTS[name])


def check_offsets(tagger, text):
    words = split_words(text)
    groups = pipe(tagger, aggregation_strategy="simple", ignore_labels=[])(text)
    for group in groups:
        assert text[group["start"] : group["end"]] == group["word"] == group["word"].strip() != ""
        assert group["start"] in {a for a, _ in words} and group["end"] in {b for _, b in words}
    for before, after in zip(groups, groups[1:], strict=False):
        assert before["end"] <= after["start"]
    if not text.strip():
        assert groups == []


def sentencepiece():
    """A stock tokenizer that marks spaces, with every character a piece of its own."""
    characters = sorted(set("".join(word for words in tiny.tokens(60) for word in words)) | {"\u2581"})
    names = ("<pad>", "<unk>", "</s>")
    backend = Tokenizer(models.Unigram([*((name, 0.0) for name in names), *((c, -1.0) for c in characters)], unk_id=1))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    special = dict(zip(("pad_token", "unk_token", "eos_token"), names, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **special)


@pytest.fixture(scope="module", params=[tiny.byte_level_bpe, sentencepiece])
def stock_pieces(request):
    """A model with a tokenizer as it comes, to which white space may be a word or a part of one."""
    tokenizer = request.param()
    model, _ = make_transformer(tokenizer)
    model.set_tokenizer(tokenizer)
    return model, tokenizer


def test_white_space_is_no_mention_and_ends_none_with_a_stock_tokenizer(stock_pieces):
    model, tokenizer = make_transformer(stock_pieces[1])
    model.set_tokenizer(stock_pieces[1])
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([9.0, -9.0, -9.0, -9.0, -9.0]))  # every word begins a mention
    ask = pipe((model, stock_pieces[1]), aggregation_strategy="simple")
    for blank in (" ", "   ", "\n", " \t\n"):
        assert ask(blank) == ask(blank, aggregation_strategy="none") == []
    for text in ("fever  ok", "fever   ok ", "  fever  ok\n", "fever \n ok \t"):
        found = ask(text)
        assert [group["word"] for group in found] == ["fever", "ok"]
        assert found[0]["start"] == text.index("fever") and found[1]["end"] == text.index("ok") + 2
        entries = ask(text, aggregation_strategy="none")
        assert all(text[e["start"] : e["end"]].strip() for e in entries)
        assert [e["start"] for e in entries if e["entity"] == "B-Chemical"] == [group["start"] for group in found]
    with torch.no_grad():
        model.classifier[-1].bias.copy_(torch.tensor([0.0, 9.0, -9.0, -9.0, -9.0]))  # one mention is all there is
    [group] = ask("  fever  ok \n")
    assert (group["word"], group["start"], group["end"]) == ("fever  ok", 2, 11)


@given(text=st.text(st.sampled_from("aspirn BRCA1-2(é)ß\u200b\t\n, \u00a0😀e\u0301\0"), max_size=40))
@settings(max_examples=25, deadline=None)
def test_no_span_is_empty_with_a_stock_tokenizer(stock_pieces, text):
    for group in pipe(stock_pieces, aggregation_strategy="simple", ignore_labels=[])(text):
        assert text[group["start"] : group["end"]] == group["word"] == group["word"].strip() != ""
    for entry in pipe(stock_pieces, ignore_labels=[])(text):
        assert text[entry["start"] : entry["end"]].strip()


def test_pieces_carry_their_words_label_and_score(bilstm):
    entries = pipe(bilstm, ignore_labels=[])("ibuprofenase fever")
    pieces = bilstm[1]("ibuprofenase fever")["input_ids"]
    assert [entry["index"] for entry in entries] == list(range(len(pieces)))
    assert [entry["word"] for entry in entries] == bilstm[1].convert_ids_to_tokens(pieces)
    assert "".join("ibuprofenase fever"[e["start"] : e["end"]] for e in entries) == "ibuprofenasefever"
    assert len({entry["score"] for entry in entries[:-1]}) == 1
    assert {entry["entity"] for entry in entries[1:-1]} <= {"O", "I-Chemical", "I-Disease"}
    assert pipe(bilstm)("fever") == [e for e in pipe(bilstm, ignore_labels=[])("fever") if e["entity"] != "O"]


def test_indices_count_the_special_tokens(transformer):
    entries = pipe(transformer, ignore_labels=[])("fever")
    assert [entry["index"] for entry in entries] == list(range(1, len(entries) + 1))


def test_what_is_outside_is_there_when_asked_for(bilstm):
    found = pipe(bilstm, aggregation_strategy="simple", ignore_labels=[])(TEXT)
    assert {"O"} < {group["entity_group"] for group in found}
    assert [g for g in found if g["entity_group"] != "O"] == pipe(bilstm, aggregation_strategy="simple")(TEXT)
    some = pipe(bilstm, aggregation_strategy="simple")(TEXT, ignore_labels=["O", "Disease"])
    assert {group["entity_group"] for group in some} == {"Chemical"}


def test_batches_give_what_single_texts_give(tagger):
    texts = [TEXT, "fever", "", "  ", "Aspirin against asthma .", TEXT * 3]
    single = pipe(tagger, aggregation_strategy="simple")
    batched = pipe(tagger, aggregation_strategy="simple", batch_size=3)(texts)
    assert [rows(found) for found in batched] == [
        [(g["entity_group"], g["word"], g["start"], g["end"], g["score"]) for g in single(text)] if text else []
        for text in texts
    ]
    assert single("") == [] and batched[2] == batched[3] == []


def test_long_text_is_read_whole_and_decoded_once_pain_4(tagger):
    model, tokenizer = tagger
    text = TEXT * 12
    ask = pipe(tagger, aggregation_strategy="simple")
    found = ask(text)
    assert max(group["end"] for group in found) > 11 * len(TEXT)
    seen = pipe(tagger, ignore_labels=[])(text)
    covered = {place for e in seen for place in range(e["start"], e["end"])}
    assert covered == {place for place, character in enumerate(text) if not character.isspace()}
    assert [e["index"] for e in seen] == list(range(seen[0]["index"], seen[0]["index"] + len(seen)))
    for stride in (0, 5, 20):
        other = ask(text, stride=stride)
        assert all(text[g["start"] : g["end"]] == g["word"] for g in other)
    with pytest.raises(ValueError, match=r"stride 600 must be at least 0 and below \d+, the room for text"):
        ask(text, stride=600)


def test_windows_equal_the_whole_where_context_does_not_matter_pain_6():
    """The CRF's sequence runs through all windows: scores are the same to the last digits."""
    model, tokenizer = make_bilstm()
    with torch.no_grad():
        for name, weight in model.encoder.layers.named_parameters():
            if "weight_hh" in name:
                weight.zero_()
            if "bias" in name:  # the forget gate stays shut
                weight[8:16] = -50
    whole = pipe((model, tokenizer), aggregation_strategy="simple")(TEXT * 3)
    assert len(whole) > 5
    tokenizer.model_max_length = 16
    windows = pipe((model, tokenizer), aggregation_strategy="simple")(TEXT * 3)
    assert rows(windows) == [(g["entity_group"], g["word"], g["start"], g["end"], g["score"]) for g in whole]


def test_no_mention_is_broken_at_a_seam():
    """Everything is one mention: whatever the windows, it comes back whole, although no window sees all of it."""
    model, tokenizer = make_bilstm()
    with torch.no_grad():
        model.classifier[-1].weight.zero_()
        model.classifier[-1].bias.copy_(torch.tensor([0.0, 9.0, -9.0, -9.0, -9.0]))
    tokenizer.model_max_length = 16
    [group] = pipe((model, tokenizer), aggregation_strategy="simple")(TEXT * 3)
    assert (group["start"], group["end"]) == (0, len(TEXT * 3) - 1)


def test_a_word_larger_than_a_window():
    model, tokenizer = make_bilstm()
    tokenizer.model_max_length = 12
    text = f"fever {'xyz' * 30} asthma"
    found = pipe((model, tokenizer), aggregation_strategy="simple", ignore_labels=[])(text)
    entries = pipe((model, tokenizer), ignore_labels=[])(text)
    assert " ".join(group["word"] for group in found) == text
    assert len({entry["score"] for entry in entries[1:-1]}) == 1  # one word, one label


def test_words_may_be_given(tagger):
    words = ["Ibuprofenase", "against", "lung", "cancer", "."]
    ask = pipe(tagger, aggregation_strategy="simple")
    text = " ".join(words)
    assert ask(words, is_split_into_words=True)[0] == ask(text)
    assert ask([words, ["fever"]], is_split_into_words=True) == [ask(text), ask("fever")]
    glued = ask(words, is_split_into_words=True, delimiter="")[0]
    assert ask([[], words], is_split_into_words=True) == [[], ask(text)]
    assert [g["word"] for g in glued] == [g["word"].replace(" ", "") for g in ask(text)]


def test_special_tokens_typed_in_a_text_are_text_pain_13(tagger):
    text = "[PAD] fever </s>[UNK]<s>[SEP] asthma [CLS]"
    found = pipe(tagger, aggregation_strategy="simple", ignore_labels=[])(text)
    assert rows(found) and (found[0]["start"], found[-1]["end"]) == (0, len(text))
    assert "".join(group["word"].replace(" ", "") for group in found) == text.replace(" ", "")


def test_tag_pairs_stand_around_the_text_and_carry_no_label():
    model, tokenizer = make_bilstm()
    tags = TagPairs("corpus", {"A": ("Chemical",), "B": ("Disease",)})
    tokenizer = add_tag_tokens(tokenizer, tags)
    torch.manual_seed(0)
    model.resize_token_embeddings(len(tokenizer))
    with torch.no_grad():
        model.get_input_embeddings().weight[-4:] *= 20
    scores = {}
    for name in ("A", "B"):
        asked = set_default_tag(tokenizer, name, tags.as_config()["around"])
        found = pipe((model, asked), ignore_labels=[])("fever , asthma")
        assert [e["word"] for e in found] == ["fever", ",", "asthma"] and found[0]["index"] == 1
        scores[name] = [entry["score"] for entry in found]
    assert scores["A"] != scores["B"]


def test_stock_models_keep_the_stock_pipeline_to_the_letter():
    model = tiny.build_model(tiny.bio("Disease"), tiny.wordpiece())
    found = pipe((model, tiny.wordpiece()), aggregation_strategy="simple")
    assert type(found) is TokenClassificationPipeline
    stock = TokenClassificationPipeline(model=model, tokenizer=tiny.wordpiece(), aggregation_strategy="simple")
    assert found(TEXT) == stock(TEXT)


def test_our_models_get_our_pipeline_by_either_name(bilstm):
    assert type(pipe(bilstm)) is WordTaggingPipeline
    model, tokenizer = bilstm
    assert type(pipeline("ner", model=model, tokenizer=tokenizer)) is WordTaggingPipeline


def test_what_the_pipeline_does_not_take_is_said(bilstm):
    with pytest.raises(ValueError, match="takes no offset_mapping"):
        pipe(bilstm)("fever", offset_mapping=[(0, 5)])
    with pytest.raises(ValueError, match="unheard"):
        pipe(bilstm, aggregation_strategy="unheard of")


@pytest.mark.parametrize("wrong", [None, 7, float("nan"), b"fever", ["fever"]])
def test_what_is_no_text_is_refused(tagger, wrong):
    for options in ({}, {"batch_size": 2}):
        with pytest.raises(ValueError, match=rf"expected a text \(str\), found {type(wrong).__name__}: "):
            pipe(tagger)(["fever", wrong], **options)


def test_what_is_no_list_of_words_is_refused(tagger):
    with pytest.raises(ValueError, match=r"word 1: expected a text \(str\), found NoneType: None"):
        pipe(tagger)([["fever", None]], is_split_into_words=True)
    with pytest.raises(ValueError, match=r"expected a list of words \(str\), found NoneType: None"):
        list(pipe(tagger).preprocess(None, is_split_into_words=True))


def publish(pair, folder):
    model, tokenizer = pair
    carry_code(model)
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, TagPairs("none", {}))
    return str(folder)


@pytest.mark.slow
def test_a_saved_folder_runs_without_the_package_where_it_is_trusted(bilstm, transformer, tmp_path):
    folders = [publish(pair, tmp_path / name) for name, pair in (("bilstm", bilstm), ("transformer", transformer))]
    for folder in folders:
        config = json.loads((tmp_path / folder / "config.json").read_text(encoding="utf-8"))
        assert config["custom_pipelines"]["token-classification"]["impl"] == "pipelines.WordTaggingPipeline"
    program = (
        "import json, sys\n"
        "sys.modules['hf_bionerkd'] = None\n"
        "from transformers import pipeline\n"
        "try:\n"
        "    pipeline('token-classification', sys.argv[2], trust_remote_code=False)\n"
        "except ValueError as error:\n"
        "    assert 'trust_remote_code=True' in str(error)\n"
        "else:\n"
        "    sys.exit('code of a repository ran although it was not trusted')\n"
        "found = []\n"
        "for folder in sys.argv[2:]:\n"
        "    tagger = pipeline('token-classification', folder, trust_remote_code=True, device='cpu',\n"
        "                      aggregation_strategy='simple', batch_size=2)\n"
        "    assert type(tagger).__name__ == 'WordTaggingPipeline'\n"
        "    assert type(tagger).__module__.startswith('transformers_modules.')\n"
        "    found.append(tagger([sys.argv[1], sys.argv[1] * 12]))\n"
        "print(json.dumps(found))\n"
    )
    done = run_fresh(program, os.environ, tmp_path, TEXT, *folders)
    found = json.loads(done.stdout.splitlines()[-1])
    for pair, (short, long) in zip((bilstm, transformer), found, strict=True):
        ask = pipe(pair, aggregation_strategy="simple")
        for groups, text in ((short, TEXT), (long, TEXT * 12)):
            assert rows(groups) == [
                (g["entity_group"], g["word"], g["start"], g["end"], g["score"]) for g in ask(text)
            ]
