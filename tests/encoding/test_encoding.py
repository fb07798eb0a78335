import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from hf_bionerkd.documents import split_words
from hf_bionerkd.encoding.encoding import EncodingError, WordEncoder
from hf_bionerkd.encoding.word_reading import reading_words, rebuild, special_ids, with_prefix_space
from hf_bionerkd.encoding.wordpiece import learn_wordpiece

WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "aspirin",
                "IL-2",
                "TP53-mediated",
                " ",
                "\u200b",
                "\n",
                "ﬁbrosis",
                "İ",
                "naïve",
                "<all>",
                "[SEP]",
                "</s>",
            ]
        ),
        st.text("aspirnIL2-ﬁé ", min_size=1, max_size=9),
        st.text(min_size=1, max_size=4),
    ),
    max_size=25,
)


def pieces(tokenizer, words):
    """Every piece of the words and the word it belongs to, by the tokenizer alone."""
    encoded = tokenizer(list(words), is_split_into_words=True, add_special_tokens=False, split_special_tokens=True)
    return encoded["input_ids"], encoded.word_ids()


def check_cover(encoder, words):
    """Nothing cut, nothing twice: the owned pieces of all windows are the sentence's pieces, in order."""
    (windows,) = encoder([words])
    ids, word_ids = pieces(encoder.tokenizer, words) if words else ([], [])
    owned = [
        (piece, word, head)
        for window in windows
        for piece, word, head, own in zip(window.input_ids, window.word_ids, window.heads, window.owned, strict=True)
        if own
    ]
    assert [piece for piece, _, _ in owned] == ids
    assert [word for _, word, _ in owned] == word_ids
    assert [word for _, word, head in owned if head] == sorted(set(word_ids))
    for window in windows:
        assert 0 < len(window.input_ids) <= encoder.capacity
    return windows


@settings(deadline=None)
@given(words=WORDS, max_length=st.integers(6, 14), data=st.data())
@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe", "bert_class"])
def test_every_word_is_covered_once_at_any_length_pain_4(kind, request, words, max_length, data):
    tokenizer = request.getfixturevalue(kind)
    overlap = data.draw(st.none() | st.integers(0, max_length - 3))
    check_cover(WordEncoder(tokenizer, max_length, overlap), words)


def test_text_longer_than_the_model_is_never_cut_pain_4(wordpiece):
    words = ["aspirin", "IL-2", "unheardof", "\u200b"] * 5000
    windows = check_cover(WordEncoder(wordpiece, 64), words)
    assert len(windows) > 1000


@pytest.mark.parametrize("overlap", [None, 0, 3])
@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_one_word_larger_than_several_windows_is_never_cut_pain_4(kind, request, overlap):
    tokenizer = request.getfixturevalue(kind)
    giant = "ATGC-" * 400
    windows = check_cover(WordEncoder(tokenizer, 24, overlap), ["aspirin", giant, "IL-2"])
    assert len(windows) > 20
    heads = [
        word
        for window in windows
        for word, h, o in zip(window.word_ids, window.heads, window.owned, strict=True)
        if h and o
    ]
    assert heads == [0, 1, 2]
    if overlap is None:  # neighbours overlap inside the word too
        assert all(sum(window.owned) < len(window.owned) for window in windows)


def test_a_short_sentence_is_one_window(wordpiece):
    (windows,) = WordEncoder(wordpiece, 64)([["aspirin", "induced"]])
    (window,) = windows
    assert wordpiece.convert_ids_to_tokens(window.input_ids)[0].startswith("a")
    assert all(window.owned) and window.heads.count(True) == 2


def test_neighbouring_windows_share_the_overlap(wordpiece):
    encoder = WordEncoder(wordpiece, 22, overlap=8)
    (windows,) = encoder([["-"] * 100])  # one piece a word
    assert encoder.capacity == 20 and {len(window.input_ids) for window in windows[:-1]} == {20}
    for one, other in zip(windows, windows[1:], strict=False):
        assert one.word_ids[-8:] == other.word_ids[:8]
        assert one.owned[-4:] == [False] * 4 and other.owned[:4] == [False] * 4


def test_white_space_and_zero_width_words_do_not_shift_the_others_pain_11(wordpiece):
    words = [" ", "aspirin", "\u200b", "\t\n", "IL", "\ufeff", "-"]
    (windows,) = WordEncoder(wordpiece, 64)([words])
    assert [w for w, head in zip(windows[0].word_ids, windows[0].heads, strict=True) if head] == [1, 4, 6]


def test_sentences_without_any_piece_give_no_window_pain_11(wordpiece):
    encoder = WordEncoder(wordpiece, 64)
    results = encoder([[], [" "], ["aspirin"], ["\u200b", " "]])
    assert [len(windows) for windows in results] == [0, 0, 1, 0]
    assert encoder([]) == []


@settings(deadline=None)
@given(words=st.lists(st.text("ﬁİÉe\u0301ﾊ①ß½ab", min_size=1, max_size=6), min_size=1, max_size=12))
def test_normalisation_that_changes_lengths_keeps_words_apart_pain_9(words):
    tokenizer = shrinking_tokenizer()
    windows = check_cover(WordEncoder(tokenizer, 10), words)
    by_word = {}
    for window in windows:
        for piece, word, own in zip(window.input_ids, window.word_ids, window.owned, strict=True):
            if own:
                by_word.setdefault(word, []).append(piece)
    alone = {index: tokenizer(word, add_special_tokens=False)["input_ids"] for index, word in enumerate(words)}
    assert by_word == {index: ids for index, ids in alone.items() if ids}


_CACHE = {}


def shrinking_tokenizer():
    """WordPiece under NFKC, lower case and without accents: ﬁ grows to two letters, é and İ lose a mark."""
    if not _CACHE:
        backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        backend.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.Lowercase(), normalizers.NFD(), normalizers.StripAccents()]
        )
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.train_from_iterator(
            ["fi i e ab ss 1 2 ハ"] * 3,
            trainers.WordPieceTrainer(special_tokens=["[PAD]", "[UNK]"], show_progress=False),
        )
        _CACHE["it"] = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")
    return _CACHE["it"]


def test_a_ligature_and_a_dotted_capital_change_length_pain_9():
    tokenizer = shrinking_tokenizer()
    assert tokenizer.tokenize("ﬁ") == ["fi"] and tokenizer.tokenize("İ") == ["i"]


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe", "bert_class"])
def test_special_tokens_and_tags_typed_in_the_text_stay_text(kind, request):
    tokenizer = rebuild(request.getfixturevalue(kind), request.getfixturevalue(kind).backend_tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<all>", "</all>"]})
    typed = ["[SEP]", "<all>", "x", "</all>", "[CLS]", "</s>", "<s>", "[MASK]"]
    (windows,) = WordEncoder(tokenizer, 200)([typed])
    assert not set(windows[0].input_ids) & (set(tokenizer.all_special_ids) - {tokenizer.unk_token_id})
    assert sorted(set(windows[0].word_ids)) == list(range(len(typed)))


def test_hyphenated_words_are_one_word_of_several_pieces_pain_7(wordpiece):
    (windows,) = WordEncoder(wordpiece, 64)([["IL-2", "deficiency"]])
    (window,) = windows
    assert wordpiece.convert_ids_to_tokens(window.input_ids)[:3] == ["IL", "-", "2"]
    assert window.word_ids[:3] == [0, 0, 0] and window.heads[:4] == [True, False, False, True]


def test_byte_level_words_are_read_with_their_space_pain_8(byte_bpe):
    words = ["aspirin", "induced", "ulcers"]
    assert not byte_bpe.tokenize("aspirin")[0].startswith("Ġ")
    (windows,) = WordEncoder(byte_bpe, 64)([words])
    assert windows[0].input_ids == byte_bpe(" aspirin induced ulcers", add_special_tokens=False)["input_ids"]
    assert all(
        byte_bpe.convert_ids_to_tokens(piece).startswith("Ġ")
        for piece, head in zip(windows[0].input_ids, windows[0].heads, strict=True)
        if head
    )


def test_a_splitter_before_the_byte_level_gets_the_space_once_a_word(byte_bpe):
    backend = Tokenizer.from_str(byte_bpe.backend_tokenizer.to_str())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.normalizer = normalizers.NFC()
    split_first = rebuild(byte_bpe, backend)
    words = ["IL-2", "aspirin"]
    (windows,) = WordEncoder(split_first, 64)([words])
    assert windows[0].input_ids == byte_bpe(" IL-2 aspirin", add_special_tokens=False)["input_ids"]
    assert sorted(set(windows[0].word_ids)) == [0, 1]


def test_tokenizers_that_need_no_space_come_back_unchanged(wordpiece, byte_bpe):
    assert with_prefix_space(wordpiece) is wordpiece
    spaced = with_prefix_space(byte_bpe)
    assert with_prefix_space(spaced) is spaced


RUNNING_TEXT = st.text("aspirIL2-_/(.±°µβéﬁ²中 \n\t\u00a0", max_size=40)


def metaspace_tokenizer():
    if "metaspace" not in _CACHE:
        backend = Tokenizer(models.Unigram())
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
        trainer = trainers.UnigramTrainer(
            vocab_size=60, special_tokens=["<pad>", "<unk>"], unk_token="<unk>", show_progress=False
        )
        backend.train_from_iterator(["aspirin induced ulcers in IL-2 deficiency"] * 50, trainer)
        _CACHE["metaspace"] = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>")
    return _CACHE["metaspace"]


@settings(deadline=None)
@given(text=RUNNING_TEXT)
@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe", "metaspace"])
def test_running_text_is_read_as_its_words_and_offsets_hold_no_space_pain_8(kind, request, text):
    source = metaspace_tokenizer() if kind == "metaspace" else request.getfixturevalue(kind)
    tokenizer = reading_words(source)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = split_words(text)
    words = [text[start:end] for start, end in spans]
    ids, word_ids = pieces(tokenizer, words) if words else ([], [])
    assert encoded["input_ids"] == ids
    for (start, end), word in zip(encoded["offset_mapping"], word_ids, strict=True):
        assert spans[word][0] <= start < end <= spans[word][1]
    for word in set(word_ids):  # the pieces of a word reach from its first to its last character
        offsets = [offset for offset, w in zip(encoded["offset_mapping"], word_ids, strict=True) if w == word]
        assert (min(offsets)[0], max(end for _, end in offsets)) == spans[word]


def test_reading_words_twice_is_reading_them_once(byte_bpe):
    once = reading_words(byte_bpe)
    assert reading_words(once) is once
    assert once.tokenize("aspirin-induced") == byte_bpe.tokenize(" aspirin - induced")
    assert special_ids(once) == ([0], [2])


@pytest.mark.parametrize(
    ("kind", "opening", "closing"), [("wordpiece", "[CLS]", "[SEP]"), ("byte_bpe", "<s>", "</s>")]
)
def test_special_ids_of_both_families(kind, opening, closing, request):
    tokenizer = request.getfixturevalue(kind)
    assert special_ids(tokenizer) == (
        [tokenizer.convert_tokens_to_ids(opening)],
        [tokenizer.convert_tokens_to_ids(closing)],
    )


def test_special_ids_include_a_tag_pair_in_the_template(wordpiece):
    tokenizer = rebuild(wordpiece, Tokenizer.from_str(wordpiece.backend_tokenizer.to_str()))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<D>", "</D>"]})
    names = ["[CLS]", "<D>", "</D>", "[SEP]"]
    ids = tokenizer.convert_tokens_to_ids(names)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] <D> $A </D> [SEP]", special_tokens=list(zip(names, ids, strict=True))
    )
    assert special_ids(tokenizer) == (ids[:2], ids[2:])
    assert WordEncoder(tokenizer, 20).capacity == 16


def test_a_tokenizer_without_a_template_has_no_special_ids():
    assert special_ids(shrinking_tokenizer()) == ([], [])


def test_special_ids_that_cannot_be_told_apart_are_an_error():
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel({"b": 0}, unk_token="b")))
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace("a", "")
    with pytest.raises(EncodingError, match="cannot tell the special tokens of .* apart from the text"):
        special_ids(tokenizer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 3}, "max_length 3 leaves room for 1 pieces of text beside 2 special tokens and 0 tag tokens"),
        ({"max_length": 7, "tag_tokens": 4}, "leaves room for 1 pieces .* and 4 tag tokens; raise max_length"),
        (
            {"max_length": 10, "overlap": 8},
            "overlap 8 must be at least 0 and below 8, the room for text in max_length 10",
        ),
        ({"max_length": 10, "overlap": 6, "tag_tokens": 2}, "overlap 6 must be at least 0 and below 6"),
        ({"max_length": 10, "overlap": -1}, "overlap -1 must be at least 0"),
    ],
)
def test_tags_and_special_tokens_take_room_from_the_text_pain_5(wordpiece, options, message):
    with pytest.raises(EncodingError, match=message):
        WordEncoder(wordpiece, **options)


def test_the_largest_possible_overlap_works_pain_5(wordpiece):
    encoder = WordEncoder(wordpiece, 12, overlap=5, tag_tokens=4)  # 12 - 2 special - 4 tags = 6 pieces of text
    assert encoder.capacity == 6
    check_cover(encoder, ["-"] * 30)


def test_a_slow_tokenizer_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(EncodingError, match="Slow is not a fast tokenizer"):
        WordEncoder(Slow(), 64)


def test_rebuild_keeps_template_special_tokens_and_limits(bert_class):
    backend = Tokenizer.from_str(bert_class.backend_tokenizer.to_str())
    plain = rebuild(bert_class, backend)
    assert type(plain) is PreTrainedTokenizerFast
    assert plain("aspirin IL-2", "x")["input_ids"] == bert_class("aspirin IL-2", "x")["input_ids"]
    assert plain.model_max_length == 64 and plain.model_input_names == bert_class.model_input_names
    for name in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token"):
        assert getattr(plain, name) == getattr(bert_class, name)


def test_long_input_makes_no_noise(caplog, wordpiece):
    with caplog.at_level("WARNING"):
        WordEncoder(wordpiece, 64)([["aspirin"] * 500])
    assert not caplog.records


def test_encoding_does_not_depend_on_truncation_left_in_the_tokenizer_pain_4():
    tokenizer = learn_wordpiece(["a b c d e f g h"] * 3, 40)
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding()
    assert json.loads(tokenizer.backend_tokenizer.to_str())["truncation"]
    windows = check_cover(WordEncoder(tokenizer, 64), ["a"] * 30)
    assert len(windows[0].input_ids) == 30
