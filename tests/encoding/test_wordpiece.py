import os
import subprocess
import sys

import pytest

from hf_bionerkd.encoding.word_reading import special_ids
from hf_bionerkd.encoding.wordpiece import SPECIAL, learn_wordpiece, read_wordpiece

TEXT = [f"gene{number % 17} binds IL-{number % 5} in {number % 7} patients" for number in range(60)]


def test_a_learned_vocabulary_reads_its_own_text_without_unknown_pieces():
    tokenizer = learn_wordpiece(TEXT, 120, max_length=128)
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL] == [0, 1, 2, 3, 4]
    assert len(tokenizer) <= 120 and tokenizer.model_max_length == 128
    for text in TEXT:
        assert tokenizer.unk_token not in tokenizer.tokenize(text)
    assert special_ids(tokenizer) == ([2], [3])
    encoded = tokenizer("IL-2", "gene1")
    assert encoded["token_type_ids"][0] == 0 and encoded["token_type_ids"][-1] == 1
    assert encoded["input_ids"].count(3) == 2


def test_the_same_texts_give_the_same_vocabulary_in_any_process_pain_18():
    program = (
        "from hf_bionerkd.encoding.wordpiece import learn_wordpiece\n"
        f"print(sorted(learn_wordpiece({TEXT!r}, 90).get_vocab().items(), key=lambda item: item[1]))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    here = sorted(learn_wordpiece(TEXT, 90).get_vocab().items(), key=lambda item: item[1])
    assert printed == {f"{here}\n"}


def test_case_is_kept_unless_asked_otherwise():
    cased, lower = learn_wordpiece(["Éa MET met"], 60), learn_wordpiece(["Éa MET met"], 60, lowercase=True)
    assert cased.tokenize("MET") != cased.tokenize("met")
    assert lower.tokenize("MET") == lower.tokenize("met") and lower.tokenize("ÉA") == lower.tokenize("ea")


def test_a_vocabulary_file_gives_the_line_number_as_id(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(["il", *SPECIAL, "##2", "-", "2"]) + "\n", encoding="utf-8")
    tokenizer = read_wordpiece(path, lowercase=True, max_length=32)
    assert tokenizer("IL-2")["input_ids"] == [3, 0, 7, 8, 4] and tokenizer("il2")["input_ids"] == [3, 0, 6, 4]
    assert tokenizer("aspirin")["input_ids"] == [3, 2, 4] and tokenizer.pad_token_id == 1
    assert tokenizer.model_max_length == 32


def test_a_vocabulary_file_reads_text_as_transformers_own_class(tmp_path, wordpiece, bert_class):
    path = tmp_path / "vocab.txt"
    pieces = sorted(wordpiece.get_vocab(), key=wordpiece.get_vocab().__getitem__)
    path.write_bytes("\r\n".join(pieces).encode() + b"\r\n")
    text = "TP53-mutations; aspirin (5 mg) naïve\u200b 中 IL-2."
    assert read_wordpiece(path)(text)["input_ids"] == bert_class(text)["input_ids"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["il", "[PAD]", "[UNK]", "[CLS]"],
            r"not a BERT vocabulary, the pieces \['\[SEP\]', '\[MASK\]'\] are missing",
        ),
        ([*SPECIAL, "il", "-", "il"], "the piece 'il' stands in line 6 and line 8"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_named(tmp_path, lines, message):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"words\.txt: " + message):
        read_wordpiece(path)
