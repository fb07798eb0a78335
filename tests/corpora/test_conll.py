import gzip
import tracemalloc
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hf_bionerkd.corpora.conll import read_conll, write_conll
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.documents import Document, Mention, join_words

# What str.splitlines and str.split would break at or drop, zero-width and combining marks, hyphens, astral letters.
TRAPS = "\r\x0b\x0c\x1c\x85\u2028\u2029\u200b\ufeff\u00a0\u3000 -–\u0301𝛼🧬Bé"


def words_like(exclude):
    character = st.one_of(
        st.sampled_from([c for c in TRAPS if c not in exclude]),
        st.characters(exclude_categories=["Cs"], exclude_characters=exclude),
    )
    return st.text(character, min_size=1, max_size=6)


@st.composite
def sentences(draw, exclude="\t\n\0"):
    text, words = join_words(draw(st.lists(words_like(exclude), min_size=1, max_size=6)))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=5)))
    spans = [pair for pair in zip(cuts, cuts[1:], strict=False) if draw(st.booleans())]
    mentions = tuple(
        Mention(words[a][0], words[b - 1][1], draw(st.sampled_from(["Gene", "Cell Line", "D-1"]))) for a, b in spans
    )
    return Document("x", text, mentions, words)


def read(path, **options):
    return list(read_conll(path, name="corpus-train", **options))


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def tags_of(document):
    return [(m.type, m.text) for m in document.mentions]


@settings(max_examples=100, deadline=None)
@given(st.lists(sentences(), min_size=1, max_size=4), st.sampled_from(["BIO", "IOBES"]), st.booleans())
@example([Document("x", "\ufeffa", (), ((0, 2),))], "BIO", False)
@example([Document("x", "a\r \x85 \u2028", (Mention(3, 6, "Gene"),), ((0, 2), (3, 4), (5, 6)))], "BIO", True)
def test_what_is_written_is_read_back(tmp_path_factory, documents, scheme, zipped):
    path = tmp_path_factory.mktemp("conll") / ("x.tsv.gz" if zipped else "x.tsv")
    counts = Counter()
    written = write_conll(path, documents, scheme)
    back = list(read_conll(path, name="n", scheme=scheme, counts=counts))
    assert [(d.text, d.words, d.mentions) for d in back] == [(d.text, d.words, d.mentions) for d in documents]
    assert counts == Counter(), "nothing that this package writes needs repair"
    assert written["sentences"] == len(documents)
    assert written["mentions"] == sum(len(d.mentions) for d in documents)


def test_sentences_get_text_ids_and_mentions(tmp_path):
    first, second = read(put(tmp_path / "a.tsv", "IL-2\tB-GENE\ngene\tI-GENE\nbinds\tO\n\nNo\tO\n"))
    assert (first.id, second.id) == ("corpus-train-000001", "corpus-train-000002")
    assert first.text == "IL-2 gene binds"
    assert first.tokens == ["IL-2", "gene", "binds"]
    assert first.mentions == (Mention(0, 9, "GENE", "IL-2 gene"),)
    assert second.mentions == ()


@pytest.mark.parametrize(
    ("scheme", "tags", "mentions"),
    [
        ("BIO", "B I B O", ["a b", "c"]),
        ("IO", "I I O I", ["a b", "d"]),
        ("IOBES", "B E S O", ["a b", "c"]),
        ("BILOU", "B L U O", ["a b", "c"]),
        ("BILOU", "B I I L", ["a b c d"]),
        ("BILOU", "U U O U", ["a", "b", "d"]),
    ],
)
def test_schemes(tmp_path, scheme, tags, mentions):
    rows = [f"{w} {t if t == 'O' else t + '-X'}" for w, t in zip("abcd", tags.split(), strict=True)]
    (sentence,) = read(put(tmp_path / "a.txt", "\n".join(rows)), scheme=scheme)
    assert [m.text for m in sentence.mentions] == mentions


@pytest.mark.parametrize("scheme", ["BIO", "IOBES", "BILOU"])
def test_the_scheme_is_found_from_the_prefixes_of_all_tags(tmp_path, scheme):
    tags = {"BIO": "B I O B", "IOBES": "B E O S", "BILOU": "B L O U"}[scheme]
    rows = [f"{w} {t if t == 'O' else t + '-X'}" for w, t in zip("abcd", tags.split(), strict=True)]
    path = put(tmp_path / "a.txt", "x O\n\n" * 300 + "\n".join(rows))
    for option in (scheme, None):
        assert [m.text for m in read(path, scheme=option)[-1].mentions] == ["a b", "d"]


def test_a_tag_of_another_scheme_is_an_error_that_names_it(tmp_path):
    path = put(tmp_path / "bad.tsv", "a\tO\nb\tU-X\n")
    with pytest.raises(CorpusError, match=r"bad\.tsv:2: tag 'U-X' does not belong to the scheme BIO.* perhaps BILOU"):
        read(path)
    with pytest.raises(CorpusError, match="unknown tag scheme 'BMES': use one of BIO, IO, IOBES, BILOU"):
        read(path, scheme="BMES")
    path = put(tmp_path / "bad.tsv", "a\tE-X\nb\tU-X\n")
    with pytest.raises(CorpusError, match=r"bad\.tsv:1: tag 'E-X' does not belong to the scheme BIO"):
        read(path, scheme=None)


def test_tags_without_a_type_have_the_one_that_is_given(tmp_path):
    path = put(tmp_path / "a.tsv", "a\tB\nb\tI\nc\tB-Gene\n")
    (sentence,) = read(path, type="Disease")
    assert tags_of(sentence) == [("Disease", "a b"), ("Gene", "c")]
    with pytest.raises(CorpusError, match=r"a\.tsv:1: tag 'B' does not belong .* names no type: give `type`"):
        read(path)


def test_the_columns_of_word_and_tag_can_be_named(tmp_path):
    path = put(
        tmp_path / "a.txt", "Lidocaine B-Chemical -\ninduced O +\n\ncardiac B-Disease +\nasystole I-Disease -\n"
    )
    for column in (1, -2):
        documents = read(path, tag_column=column)
        assert [tags_of(d) for d in documents] == [[("Chemical", "Lidocaine")], [("Disease", "cardiac asystole")]]
    message = r"a\.txt:1: tag '-' does not belong .* The tags seem to stand in another column: give tag_column=1"
    with pytest.raises(CorpusError, match=message):
        read(path)
    with pytest.raises(CorpusError, match=r"a\.txt:1: tag_column=3, but .* has the columns 0 to 2"):
        read(path, tag_column=3)
    path = put(tmp_path / "b.txt", "NN O gout\nVB O hurts\n")
    assert [d.tokens for d in read(path, word_column=-1, tag_column=1)] == [["gout", "hurts"]]
    # A first column of numbers that does not count them is the word's.
    path = put(tmp_path / "c.txt", "50 CD O\n60 CD O\n")
    assert [d.tokens for d in read(path)] == [["50", "60"]]


def test_comments_are_counted_and_their_ids_kept(tmp_path):
    content = (
        "# doc_id = 354896\n# sent_id = 1\n# text = Gout\nGout\tS-D\n\nAche\tO\n\n"
        "# newdoc id = 9\nPain\tO\n# note = within\n#\tO\n#1\tS-D\n"
    )
    counts = Counter()
    documents = read(put(tmp_path / "a.conll", content), scheme="IOBES", counts=counts)
    assert [d.tokens for d in documents] == [["Gout"], ["Ache"], ["Pain", "#", "#1"]]
    assert [d.metadata for d in documents] == [
        {"document_id": "354896", "sentence_id": "1"},
        {"document_id": "354896"},
        {"document_id": "9"},
    ]
    assert +counts == Counter(comments=5)


def test_rows_of_the_word_hash_are_rows(tmp_path):
    first, second = read(put(tmp_path / "a.conll", "# O\nAspirin B-C\n\n#1 O\n# B-C\ngout I-C\n"))
    assert (first.tokens, second.tokens) == (["#", "Aspirin"], ["#1", "#", "gout"])
    assert [tags_of(d) for d in (first, second)] == [[("C", "Aspirin")], [("C", "# gout")]]
    counts = Counter()
    content = "#begin document (x); part 000\na O\n# newpar\nb B-X\n#end document\n"
    (sentence,) = read(put(tmp_path / "a.conll", content), counts=counts)
    assert (sentence.tokens, counts["comments"]) == (["a", "b"], 3)
    # In the middle of a sentence a row with too many columns is damaged and no comment.
    with pytest.raises(CorpusError, match=r"a\.conll:2: '# x O' has 3 columns"):
        read(put(tmp_path / "a.conll", "a O\n# x O\n"))


@pytest.mark.parametrize("row", [b"b\tNN\tO", b"b", b"\tO", b"b\tE-X", b"\xff\tO", b"b\0\tO"])
@pytest.mark.parametrize("before", [0, 300])
def test_the_sentence_of_a_damaged_row_is_set_aside_and_the_others_are_read(tmp_path, row, before):
    path = put(tmp_path / "a.tsv", b"x\tO\n\n" * before + b"a\tO\n\nc\tO\n" + row + b"\nd\tO\n\ne\tB-X\n")
    counts, aside = Counter(), []
    documents = read(path, counts=counts, on_set_aside=aside.append)
    assert [d.text for d in documents[before:]] == ["a", "e"]
    assert +counts == Counter(rows_set_aside=1, sentences_set_aside=1)
    assert [(entry["file"], entry["line"]) for entry in aside] == [("a.tsv", 2 * before + 4)]
    with pytest.raises(CorpusError, match=rf"a\.tsv:{2 * before + 4}: "):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_another_encoding_is_named(tmp_path, encoding):
    path = put(tmp_path / "a.tsv", "Gout\tB-Disease\nhurts\tO\n".encode(encoding))
    for aside in (None, [].append):
        with pytest.raises(CorpusError, match=r"a\.tsv:1: .*UTF-(16|32).* Convert it to UTF-8 first"):
            read(path, on_set_aside=aside)


def test_types_are_renamed_then_kept(tmp_path):
    path = put(tmp_path / "a.tsv", "a\tB-GENE\nb\tB-X\nc\tB-Z\n")
    counts = Counter()
    (sentence,) = read(path, rename={"GENE": "Gene", "X": "Chemical"}, keep_types=["Gene", "Z"], counts=counts)
    assert tags_of(sentence) == [("Gene", "a"), ("Z", "c")]
    assert counts == Counter(mentions_of_other_types=1)


@pytest.mark.parametrize(
    "content",
    [
        "a\tO\r\nb\tB-X\r\n\r\nc\tO\r\n",
        "\ufeffa\tO\nb\tB-X\n\nc\tO",
        "\n\n \t\na\tO\nb\tB-X\n\n\n   \n\t\n\nc\tO\n\n\n",
        "a O\nb   B-X\n\nc O\n",
        "a\tNN\t_\tO\nb\tNN\t_\tB-X\n\nc\tNN\t_\tO\n",
        "a NN  O\nb NN B-X \n\nc VB\tO\n",
        "a\tO \nb\tB-X\t\n\nc\tO  \t\n",
        "a\tO\rb\tB-X\r\rc\tO\r",
        "# text = a b\n# sent_id = B-1\na\tO\nb\tB-X\n\n# newpar\nc\tO\n",
        "1\ta\tO\n2\tb\tB-X\n\n1\tc\tO\n",
        "0 a O\n1 b B-X\n\n2 c O\n",
        "# global.columns = ID FORM NER\n1 a O\n2 b B-X\n\n# sent = 2\n1 c O\n",
    ],
    ids=[
        "crlf",
        "bom",
        "blank-lines",
        "blank-separated",
        "four-columns",
        "three-columns-by-blanks",
        "trailing-blanks",
        "lone-cr",
        "comments",
        "index",
        "index-of-file",
        "both",
    ],
)
def test_variants_of_one_file_read_the_same(tmp_path, content):
    documents = read(put(tmp_path / "a.tsv", content))
    assert [d.tokens for d in documents] == [["a", "b"], ["c"]]
    assert [tags_of(d) for d in documents] == [[("X", "b")], []]


def test_docstart_rows_number_the_documents(tmp_path):
    content = "-DOCSTART-\tO\n\na\tO\n\nb\tO\n\n-DOCSTART- -X- O O\nc\tO\n-DOCSTART-\nd\tO\n"
    counts = Counter()
    documents = read(put(tmp_path / "a.tsv", content), counts=counts)
    assert [(d.text, d.metadata["document_number"]) for d in documents] == [
        ("a", "1"),
        ("b", "1"),
        ("c", "2"),
        ("d", "3"),
    ]
    assert counts == Counter(docstart_rows=3)


def test_without_docstart_rows_there_is_no_document_number(tmp_path):
    (document,) = read(put(tmp_path / "a.tsv", "a\tO\n"))
    assert document.metadata == {}


def test_inside_tag_without_begin_opens_a_mention_and_is_counted(tmp_path):
    counts = Counter()
    content = "a\tO\nb\tI-X\nc\tI-X\nd\tI-Y\ne\tB-Y\nf\tI-Y\n"
    (sentence,) = read(put(tmp_path / "a.tsv", content), counts=counts)
    assert tags_of(sentence) == [("X", "b c"), ("Y", "d"), ("Y", "e f")]
    assert counts == Counter(mentions_from_ill_formed_tags=2)


def test_pain_11_white_space_and_zero_width_words_are_kept(tmp_path):
    words = ["\u200b", "\u00a0", " ", "\u3000", "\x85", "\u2028", "x"]
    content = "".join(f"{w}\t{t}\n" for w, t in zip(words, ["B-X", "I-X", "O", "O", "O", "O", "B-X"], strict=True))
    (sentence,) = read(put(tmp_path / "a.tsv", content))
    assert sentence.tokens == words
    assert tags_of(sentence) == [("X", "\u200b \u00a0"), ("X", "x")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\tO\nb\tNN\tO\n", r"bad\.tsv:2: .*3 columns separated by tabs; line 1 has 2"),
        ("a\tO\n\nb O\n", r"bad\.tsv:3: .*1 columns separated by tabs; line 1 has 2"),
        ("a O\nb NN O\n", r"bad\.tsv:2: .*3 columns separated by blanks; line 1 has 2"),
        ("a\tO\rb\tO\nc\tO\n", r"bad\.tsv:2: .*2 columns .*line 1 has 3; a lone carriage return ends no line"),
        ("word\n", r"bad\.tsv:1: .*expected a word and, last, its tag"),
        ("a\tO\nb\tE-X\n", r"bad\.tsv:2: tag 'E-X' does not belong to the scheme BIO, whose tags are O, B-<type>"),
        ("a\tO\nb\tB\n", r"bad\.tsv:2: tag 'B' does not belong"),
        ("a\tB-\n", r"bad\.tsv:1: tag 'B-' does not belong"),
        ("a\tO\n\tO\n", r"bad\.tsv:2: .*empty word"),
        ("a\tO\nb\0\tO\n", r"bad\.tsv:2: .*NUL"),
        (b"a\tO\n\xff\tO\n", r"bad\.tsv:2: byte 1 of the line \(0xff\) is not UTF-8"),
        ("", r"bad\.tsv: the file holds no sentence"),
        ("\n \n\n", r"bad\.tsv: the file holds no sentence"),
        ("-DOCSTART-\tO\n\n", r"bad\.tsv: the file holds no sentence"),
    ],
)
def test_malformed_rows_are_errors_that_name_file_and_line(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        read(put(tmp_path / "bad.tsv", content))


def test_begin_tag_is_no_tag_of_the_io_scheme(tmp_path):
    with pytest.raises(CorpusError, match=r"bad\.tsv:1: tag 'B-X' does not belong to the scheme IO"):
        read(put(tmp_path / "bad.tsv", "a\tB-X\n"), scheme="IO")


def test_damaged_gzip_names_the_file(tmp_path):
    whole = gzip.compress("".join(f"word{i}\tO\n" for i in range(5000)).encode())
    path = put(tmp_path / "bad.tsv.gz", whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match=r"bad\.tsv\.gz: the gzip stream is cut off or damaged"):
        read(path)


def test_nested_and_misaligned_mentions_are_counted_when_written(tmp_path):
    mentions = (Mention(0, 9, "Gene"), Mention(0, 4, "Gene"), Mention(10, 12, "Gene"))
    document = Document("x", "IL-2 gene binds", mentions, ((0, 4), (5, 9), (10, 15)))
    counts = write_conll(tmp_path / "a.tsv", [document])
    assert (tmp_path / "a.tsv").read_text() == "IL-2\tB-Gene\ngene\tI-Gene\nbinds\tB-Gene\n\n"
    assert counts == {
        "sentences": 1,
        "mentions": 2,
        "mentions_left_out_of_flat_view": 1,
        "mentions_widened_to_words": 1,
    }


@pytest.mark.parametrize(
    "document",
    [
        Document("d7", "a\tb", (), ((0, 3),)),
        Document("d7", "a\nb", (), ((0, 3),)),
        Document("d7", "-DOCSTART-", (), ((0, 10),)),
        Document("d7", "a", (Mention(0, 1, "X\r"),)),
        Document("d7", "a", (Mention(0, 1, ""),)),
        Document("d7", " "),
    ],
    ids=["tab", "line-feed", "docstart", "type-with-cr", "no-type", "no-words"],
)
def test_what_columns_cannot_hold_is_an_error_and_leaves_the_old_file(tmp_path, document):
    path = put(tmp_path / "a.tsv", "old")
    with pytest.raises(CorpusError, match="document 'd7'"):
        write_conll(path, [Document("ok", "fine"), document])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tsv"]


def test_writing_no_document_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="no document to write"):
        write_conll(tmp_path / "a.tsv", [])
    assert not list(tmp_path.iterdir())


def test_gzip_output_depends_on_the_text_alone(tmp_path):
    write_conll(tmp_path / "a.tsv.gz", [Document("1", "same text")])
    write_conll(tmp_path / "b.tsv.gz", [Document("1", "same text")])
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = put(tmp_path / "a.tsv", "".join(f"{'x' * 1000}{i}\tB-X\nnext\tO\n\n" for i in range(1000)))
    tracemalloc.start()
    for _ in read_conll(path, name="x"):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * path.stat().st_size


def test_a_file_whose_sentences_were_all_set_aside_names_the_column_of_its_tags(tmp_path):
    path, rows = tmp_path / "x.conll", []
    path.write_text("Gout B-Disease -\nhurts O -\n\nNo O -\npain O -\n")
    with pytest.raises(CorpusError, match=r"all 2 were set aside, each with its reason\. .*tag_column=1"):
        list(read_conll(path, name="x", on_set_aside=rows.append))
    assert len(rows) == 4
