import json

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast, pipeline

from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.encoding.encoding import EncodingError, WordEncoder
from hf_bionerkd.encoding.tag_pairs import TAG_MODES, TagPairs, add_tag_tokens, save_tokenizer, set_default_tag
from hf_bionerkd.encoding.word_reading import rebuild, special_ids
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace, spans_to_mentions, word_spans
from hf_bionerkd.training.training_windows import TrainingWindows, WindowCollator

CORPORA = {"NCBI-disease": ("Disease",), "BC5CDR": ("Chemical", "Disease"), "BC2GM": ("Gene",)}
SPACE = LabelSpace(("Chemical", "Disease", "Gene"))


def test_the_corpus_name_is_the_paper_s_tag():
    tags = TagPairs("corpus", CORPORA)
    assert tags.around("NCBI-disease") == (["<NCBI-disease>"], ["</NCBI-disease>"])
    assert tags.names == ("NCBI-disease", "BC5CDR", "BC2GM") and tags.default == "NCBI-disease"
    assert tags.room == 2 and len(tags.tokens) == 6


def test_the_type_name_is_shared_by_corpora_of_one_type():
    tags = TagPairs("type", {"one": ("Gene",), "two": ("Gene",), "three": ("Gene", "Disease")})
    assert tags.around("one") == tags.around("two") == (["<Gene>"], ["</Gene>"])
    assert tags.around("three") == (["<Gene+Disease>"], ["</Gene+Disease>"])
    assert tags.tokens == ["<Gene>", "</Gene>", "<Gene+Disease>", "</Gene+Disease>"]


def test_two_types_of_a_corpus_under_one_name_are_one_tag():
    assert TagPairs("type", {"JNLPBA": ("Gene", "Gene")}).around("JNLPBA") == (["<Gene>"], ["</Gene>"])


def test_both_nests_the_corpus_inside_the_type():
    tags = TagPairs("both", CORPORA)
    assert tags.around("BC2GM") == (["<Gene>", "<BC2GM>"], ["</BC2GM>", "</Gene>"])
    assert tags.room == 4


def test_none_leaves_the_text_alone():
    tags = TagPairs("none", CORPORA)
    assert tags.around("anything") == ([], []) and tags.tokens == [] and tags.names == ()
    assert tags.default is None and tags.room == 0 and tags.as_config() is None


@pytest.mark.parametrize("mode", TAG_MODES)
def test_without_the_end_tag_nothing_follows_the_text(mode):
    tags = TagPairs(mode, CORPORA, neutral=mode != "none", end_tag=False)
    assert all(tags.around(name)[1] == [] for name in tags.names)
    assert not any(token.startswith("</") for token in tags.tokens)
    assert tags.room == {"corpus": 1, "type": 1, "both": 2, "none": 0}[mode]


@pytest.mark.parametrize("mode", ["corpus", "type", "both"])
def test_all_is_the_published_default_of_a_distilled_student(mode):
    tags = TagPairs(mode, CORPORA, neutral=True)
    assert tags.default == "all" and tags.around("all") == (["<all>"], ["</all>"])
    assert tags.names[-1] == "all"
    assert tags.as_config()["default"] == "all" and tags.as_config()["around"]["all"] == [["<all>"], ["</all>"]]
    json.dumps(tags.as_config())


def test_without_neutral_there_is_no_all():
    with pytest.raises(KeyError, match=r"no tag for 'all'; this model knows \['NCBI-disease', 'BC5CDR', 'BC2GM'\]"):
        TagPairs("corpus", CORPORA).around("all")
    assert TagPairs("corpus", {"all": ("Gene",)}).around("all") == (["<all>"], ["</all>"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "corpora", "corpora": CORPORA}, "unknown tag_pair 'corpora': use one of corpus, type, both, none"),
        ({"mode": "corpus", "corpora": {"all": ("Gene",)}, "neutral": True}, "a corpus cannot be named 'all'"),
        ({"mode": "type", "corpora": {"x": ("all",)}, "neutral": True}, "a type cannot be named 'all'"),
    ],
)
def test_impossible_tags_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TagPairs(**arguments)


def test_adding_tags_makes_one_special_piece_each_and_leaves_the_source_alone(wordpiece):
    before = len(wordpiece)
    tags = TagPairs("both", CORPORA, neutral=True)
    tokenizer = add_tag_tokens(wordpiece, tags)
    assert len(wordpiece) == before and len(tokenizer) == before + len(tags.tokens)
    ids = tokenizer.convert_tokens_to_ids(tags.tokens)
    assert ids == list(range(before, len(tokenizer))) and set(ids) <= set(tokenizer.all_special_ids)
    again = add_tag_tokens(tokenizer, tags)  # as when a published student is trained further
    assert again.convert_tokens_to_ids(tags.tokens) == ids and len(again) == len(tokenizer)


def test_a_tag_that_is_a_word_already_is_refused(wordpiece):
    tokenizer = rebuild(wordpiece, Tokenizer.from_str(wordpiece.backend_tokenizer.to_str()))
    tokenizer.add_tokens(["<BC2GM>"])
    with pytest.raises(ValueError, match=r"the tags \['<BC2GM>'\] are ordinary words"):
        add_tag_tokens(tokenizer, TagPairs("corpus", CORPORA))


def test_tags_take_room_from_the_text_pain_5(wordpiece):
    tags = TagPairs("both", CORPORA)
    assert WordEncoder(wordpiece, 24, tag_tokens=tags.room).capacity == 24 - 2 - 4
    with pytest.raises(EncodingError, match="2 special tokens and 4 tag tokens"):
        WordEncoder(wordpiece, 7, tag_tokens=tags.room)


KINDS = ["wordpiece", "byte_bpe", "bert_class"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", TAG_MODES)
@pytest.mark.parametrize("end_tag", [True, False])
def test_the_default_tag_survives_a_reload_pain_13(kind, mode, end_tag, request, tmp_path):
    source = request.getfixturevalue(kind)
    tags = TagPairs(mode, CORPORA, neutral=mode != "none", end_tag=end_tag)
    save_tokenizer(add_tag_tokens(source, tags), tmp_path, tags)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    opening, closing = tags.around(tags.default) if tags.default else ([], [])
    first, last = source.cls_token, source.sep_token
    tokens = loaded.convert_ids_to_tokens(loaded("aspirin IL-2")["input_ids"])
    assert tokens[: 1 + len(opening)] == [first, *opening]
    assert tokens[len(tokens) - 1 - len(closing) :] == [*closing, last]
    text = tokens[1 + len(opening) : len(tokens) - 1 - len(closing)]
    assert text == add_tag_tokens(source, tags).tokenize("aspirin IL-2")
    # A pair of texts keeps its template, with the tags around the first.
    pair = loaded.convert_ids_to_tokens(loaded("IL", "IL")["input_ids"])
    middle = [last, last] if kind == "byte_bpe" else [last]
    one = loaded.tokenize("IL")
    assert pair == [first, *opening, *one, *closing, *middle, *one, last]


@pytest.mark.parametrize("kind", KINDS)
def test_tokenizer_config_is_readable_by_transformers_4_and_5_pain_13(kind, request, tmp_path):
    tags = TagPairs("corpus", CORPORA, neutral=True)
    save_tokenizer(request.getfixturevalue(kind), tmp_path, tags)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "backend" not in config and "extra_special_tokens" not in config
    assert isinstance(config["additional_special_tokens"], list)
    assert set(tags.tokens) <= set(config["additional_special_tokens"])
    assert config["split_special_tokens"] is True
    assert config["model_max_length"] == 64
    assert not list(tmp_path.glob("*.tmp")) and str(tmp_path) not in json.dumps(config)


def test_a_tokenizer_that_does_not_survive_is_not_shipped_pain_13(wordpiece, tmp_path, monkeypatch):
    tags = TagPairs("corpus", CORPORA)
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda folder: wordpiece)
    with pytest.raises(EncodingError, match="encodes .* differently after loading .* the tag pair would be lost"):
        save_tokenizer(wordpiece, tmp_path, tags)


def test_another_tag_is_one_call_also_after_a_reload(wordpiece, tmp_path):
    tags = TagPairs("both", CORPORA, neutral=True)
    save_tokenizer(wordpiece, tmp_path, tags)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for name in (*tags.names, "all", "BC2GM"):
        loaded = set_default_tag(loaded, name)  # each from the one before
        opening, closing = tags.around(name)
        prefix, suffix = special_ids(loaded)
        assert loaded.convert_ids_to_tokens(prefix) == ["[CLS]", *opening]
        assert loaded.convert_ids_to_tokens(suffix) == [*closing, "[SEP]"]
    assert "[SEP]" not in loaded.tokenize("[SEP] <all>")  # typed tags still stay text


def test_an_unknown_tag_is_named(wordpiece, tmp_path):
    save_tokenizer(wordpiece, tmp_path, TagPairs("corpus", {"BC2GM": ("Gene",)}, neutral=True))
    with pytest.raises(KeyError, match=r"no tag for 'JNLPBA'; this tokenizer knows \['BC2GM', 'all'\]"):
        set_default_tag(AutoTokenizer.from_pretrained(tmp_path), "JNLPBA")
    with pytest.raises(KeyError, match="this tokenizer knows no tag pairs"):
        set_default_tag(wordpiece, "all")


# ---------------------------------------------------------------------------------------------------------------------
# The plain pipeline

TAGS = TagPairs("corpus", {"Chem": ("Chemical",), "Rest": ("Disease", "Gene")}, neutral=True)
PATTERNS = (
    "{C}-induced {D} in patients with {G} deficiency.",
    "{G} and {G2} cause {D} (5 mg {C}).",
    "No {D}, but {C}/{C2} raised {G}!",
)
NAMES = {
    "C": ["aspirin", "warfarin", "β-carotene", "Ca2+"],
    "D": ["gastric cancer", "renal failure", "asthma", "non-small cell cancer"],
    "G": ["IL-2", "TP53", "alpha-synuclein", "IL-6"],
}
TYPE = {"C": "Chemical", "D": "Disease", "G": "Gene"}


def sentences():
    """Sentences with hyphens inside and beside mentions, in running text with correct offsets."""
    documents = []
    for number in range(4):
        for pattern in PATTERNS:
            text, mentions = "", []
            for part in pattern.replace("}", "{").split("{"):
                if part[:1] in NAMES and len(part) <= 2:
                    kind, shift = part[0], len(part) - 1
                    name = NAMES[kind][(number + shift) % 4]
                    mentions.append(Mention(len(text), len(text) + len(name), TYPE[kind], name))
                    text += name
                else:
                    text += part
            documents.append(Document(f"{number}{pattern}", text, tuple(mentions)))
    return documents


@pytest.fixture(scope="module", params=["wordpiece", "byte_bpe"])
def student(request, make_bert, tmp_path_factory):
    """A student trained for a moment on word lists, and the folder that it is published in."""
    from datasets import Dataset

    documents = sentences()
    source = request.getfixturevalue(request.param)
    tokenizer = add_tag_tokens(source, TAGS)
    rows = Dataset.from_dict(
        {
            "tokens": [document.tokens for document in documents],
            "labels": [SPACE.encode(word_spans(document)[0], len(document.words)) for document in documents],
            "corpus": [index % 2 for index in range(len(documents))],
        }
    )
    encoder = WordEncoder(tokenizer, 64, tag_tokens=TAGS.room)
    windows = TrainingWindows(rows, encoder, SPACE, list(TAGS.corpora.items()), TAGS, neutral_tag_rate=0.5)
    model_type = "bert" if request.param == "wordpiece" else "roberta"
    model = make_bert(len(tokenizer), SPACE.labels, tokenizer.pad_token_id, model_type=model_type, hidden_size=48)
    collate = WindowCollator(tokenizer.pad_token_id)
    batches = []
    for epoch in range(4):
        windows.set_epoch(epoch)
        batches.append(collate(windows.__getitems__(range(len(windows)))))
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    torch.manual_seed(0)
    model.train()
    for step in range(80):
        batch = batches[step % 4]
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    folder = tmp_path_factory.mktemp(request.param)
    model.eval().save_pretrained(folder)
    save_tokenizer(tokenizer, folder, TAGS)
    return folder, model, tokenizer


def found(entities):
    return [(entity["start"], entity["end"], entity["entity_group"]) for entity in entities]


def test_the_plain_pipeline_returns_our_word_spans_and_whole_mentions_pain_7(student):
    folder, model, tokenizer = student
    tagger = pipeline("token-classification", str(folder), aggregation_strategy="simple")
    ours = WordTagger(model, tokenizer, around=TAGS.around("all"))
    for document in sentences():
        expected = [(m.start, m.end, m.type) for m in document.mentions]
        (log_probs,) = ours.log_probs([document.tokens])
        spans = SPACE.decode(log_probs.argmax(-1).tolist())
        assert [(m.start, m.end, m.type) for m in spans_to_mentions(spans, document)] == expected
        entities = tagger(document.text)
        assert found(entities) == expected
        for entity, mention in zip(entities, document.mentions, strict=True):
            assert document.text[entity["start"] : entity["end"]] == mention.text  # no space at either end, pain 8


def test_offsets_hold_after_odd_white_space_and_zero_width_characters_pain_8(student):
    folder, _, _ = student
    tagger = pipeline("token-classification", str(folder), aggregation_strategy="simple")
    document = sentences()[0]
    text = "  \n" + document.text.replace(" in ", "  in\t").replace(" with", "\u00a0with") + " \n"
    texts = [text[start:end] for start, end, _ in found(tagger(text))]
    assert texts == [mention.text for mention in document.mentions]
    assert tagger("") == []


def test_tags_never_come_back_as_entities_whatever_the_model_says(student, tmp_path):
    folder, model, _ = student
    everything = type(model)(model.config)
    with torch.no_grad():
        everything.classifier.weight.zero_()
        everything.classifier.bias.copy_(torch.tensor([0.0, 9.0] + [0.0] * 5))  # I-Chemical everywhere
    everything.save_pretrained(tmp_path)
    tagger = pipeline("token-classification", str(tmp_path), tokenizer=str(folder), aggregation_strategy="simple")
    assert found(tagger("aspirin, IL-2 x")) == [(0, 15, "Chemical")]


def test_the_default_tag_reaches_the_model_and_another_is_one_call(student):
    folder, model, _ = student
    tagger = pipeline("token-classification", str(folder), aggregation_strategy="simple")
    seen = []
    tagger.model.register_forward_pre_hook(
        lambda module, args, inputs: seen.append(inputs["input_ids"][0].tolist()), with_kwargs=True
    )
    tagger("aspirin")
    tagger.tokenizer = set_default_tag(tagger.tokenizer, "Rest")
    tagger("aspirin")
    names = [tagger.tokenizer.convert_ids_to_tokens([ids[1], ids[-2]]) for ids in seen]
    assert names == [["<all>", "</all>"], ["<Rest>", "</Rest>"]]
    assert seen[0][2:-2] == seen[1][2:-2]


@pytest.mark.parametrize("typed", ["<all>", "</all>", "<Chem>", "[SEP]", "</s>", "<s>", "[MASK]"])
def test_a_tag_typed_in_the_text_stays_text_in_the_pipeline(student, typed):
    folder, _, _ = student
    tagger = pipeline("token-classification", str(folder), aggregation_strategy="none")
    special = {tagger.tokenizer.convert_tokens_to_ids(typed)} - {tagger.tokenizer.unk_token_id}
    text = f"aspirin {typed} IL-2"
    ids = tagger.tokenizer(text)["input_ids"]
    plain = tagger.tokenizer("aspirin IL-2")["input_ids"]
    for token in special:
        assert ids.count(token) == plain.count(token)
    offsets = tagger.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    read = {position for start, end in offsets for position in range(start, end)}
    assert read == {position for position, character in enumerate(text) if character != " "}


@pytest.fixture(scope="module", params=["wordpiece", "byte_bpe"])
def by_piece(request, make_token_model, tmp_path_factory):
    """A published student whose answer depends on the piece alone, so that every window must agree."""
    tokenizer = add_tag_tokens(request.getfixturevalue(request.param), TAGS)
    head, *later = tokenizer.tokenize("aspirin")
    labels = dict.fromkeys(later, SPACE.label2id["I-Chemical"]) | {head: SPACE.label2id["B-Chemical"]}
    default = dict.fromkeys(tokenizer.get_vocab(), SPACE.outside)
    model = make_token_model(tokenizer, SPACE.labels, default | labels, max_position_embeddings=64)
    folder = tmp_path_factory.mktemp(f"piece_{request.param}")
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder, TAGS)
    return folder


@pytest.mark.parametrize("stride", [8, 59])  # 64 - [CLS] - <all> - </all> - [SEP] - 1 is the largest
def test_with_a_stride_long_text_is_tagged_whole_with_tags_in_every_window_pain_4(by_piece, stride):
    tagger = pipeline("token-classification", str(by_piece), aggregation_strategy="simple", stride=stride)
    seen = []
    tagger.model.register_forward_pre_hook(
        lambda module, args, inputs: seen.append(inputs["input_ids"][0].tolist()), with_kwargs=True
    )
    text = "aspirin-cancer . " * 40
    entities = tagger(text)
    assert [(e["start"], e["end"]) for e in entities] == [(17 * i, 17 * i + 7) for i in range(40)]
    assert len(seen) >= 3 and max(map(len, seen)) <= 64
    inputs = [[token for token in ids if token != tagger.tokenizer.pad_token_id] for ids in seen]
    ends = {tuple(tagger.tokenizer.convert_ids_to_tokens([*ids[:2], *ids[-2:]])) for ids in inputs}
    cls, sep = tagger.tokenizer.cls_token, tagger.tokenizer.sep_token
    assert ends == {(cls, "<all>", "</all>", sep)}


def test_the_folder_holds_no_code_and_no_pickle_pain_23(student):
    folder, _, _ = student
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert "auto_map" not in (folder / "config.json").read_text()
    assert type(AutoTokenizer.from_pretrained(folder)) is PreTrainedTokenizerFast


def test_a_tag_whose_tokens_are_unknown_is_refused(wordpiece):
    with pytest.raises(KeyError, match="the tag 'other' needs the tokens .*'<other>'"):
        set_default_tag(wordpiece, "other", {"other": [["<other>"], ["</other>"]]})
