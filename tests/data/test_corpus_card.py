"""Dataset cards: the counts of the papers' tables, where labels come from, and how people load the corpus."""

import dataclasses
import re

import pytest
from huggingface_hub import DatasetCard

from hf_bionerkd.corpora.statistics import corpus_statistics
from hf_bionerkd.data.corpus_card import CardError, CorpusCard, load_card, name_corpus, render_readme
from hf_bionerkd.documents import Document, Mention

CARD = CorpusCard("toy", "Toy corpus", "What it is.", "cc-by-4.0", "https://h.org", "https://s.org", "@misc{toy}")
TYPES = ("Gene", "Disease")


def document(number, name, *mentions):
    spans = tuple(Mention(start, end, kind, source=source) for start, end, kind, source in mentions)
    metadata = {"document_id": name} if name else {}
    return Document(str(number), "IL-2 and gout and BRCA1", spans, metadata=metadata)


def manifest(splits, **changes):
    entries = {split: {"file": f"data/{split}.parquet", "sha256": 64 * "0"} for split in splits}
    fixed = {"counts": {}, "set_aside": 0, "sources": [], "schema_version": "1.0", "package_version": "0.1.0"}
    return {"splits": entries, **fixed, **changes}


def render(splits, card=CARD, types=TYPES):
    statistics = {split: corpus_statistics(documents) for split, documents in splits.items()}
    return render_readme(card, types, statistics, manifest(splits))


def test_a_card_needs_a_name_a_licence_and_a_source_alone(tmp_path):
    path = tmp_path / "card.yaml"
    path.write_text("name: toy\nlicense: mit\nsource_url: https://s.org/toy\n")
    card, _ = load_card(path)
    assert card == CorpusCard("toy", "toy", "", "mit", "https://s.org/toy", "https://s.org/toy", "")
    text = render({"train": [document(1, "", (0, 4, "Gene", "gold"))]}, card)
    assert text.partition("---\n\n")[2].startswith("# toy\n\nAnnotated types: ") and "Citation" not in text
    for key in ("name", "license", "source_url"):
        path.write_text("".join(f"{other}: x\n" for other in ("name", "license", "source_url") if other != key))
        with pytest.raises(
            CardError, match=rf"card.yaml: key '{key}' is missing; .* name, license, source_url, as in"
        ):
            load_card(path)


GENE, GOUT = (0, 4, "Gene", "gold"), (9, 13, "Disease", "gold")
BRCA1 = (18, 23, "Gene", "tagger <round 2>")


def section(card, heading):
    return card.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def test_the_size_table_counts_documents_mentions_and_distinct_mentions():
    splits = {
        "train": [document(1, "pmid1", GENE, GOUT), document(2, "pmid1", GENE, BRCA1), document(3, "pmid2")],
        "test": [document(4, "pmid3", GOUT)],
    }
    assert section(render(splits), "Size").strip().splitlines() == [
        "| split | documents | rows | words | Gene mentions | distinct Gene mentions | Disease mentions | "
        "distinct Disease mentions |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| train | 2 | 3 | 21 | 3 | 2 | 1 | 1 |",
        "| test | 1 | 1 | 7 | 0 | 0 | 1 | 1 |",
    ]


def test_documents_are_not_counted_where_a_row_does_not_say_which_it_is_of():
    splits = {"train": [document(1, "pmid1", GENE)], "test": [document(2, "", GENE)]}
    assert section(render(splits), "Size").strip().startswith("| split | rows | words | Gene mentions |")


def test_labels_are_shown_by_where_they_come_from():
    human = (9, 13, "Disease", "human")
    splits = {"train": [document(1, "", GENE, GOUT), document(2, "", GENE, BRCA1)], "test": [document(3, "", human)]}
    assert section(render(splits), "Where the labels come from").strip().splitlines()[2:] == [
        "| type | source | train | test | meaning |",
        "| --- | --- | --- | --- | --- |",
        "| Gene | `gold` | 2 | 0 | as the makers of the corpus published it |",
        "| Gene | `tagger <round 2>` | 1 | 0 |  |",
        "| Disease | `gold` | 1 | 0 | as the makers of the corpus published it |",
        "| Disease | `human` | 0 | 1 | annotated by people |",
    ]
    assert "| type | source | train |\n" in render({"train": [document(1, "", BRCA1)]})


def test_where_no_label_says_where_it_comes_from_the_section_vanishes():
    card = render({"train": [document(1, "", (0, 4, "Gene", ""))], "test": [document(2, "")]})
    assert "Where the labels come from" not in card and "\n\n\n" not in card


def test_the_snippet_is_python_and_names_the_corpus_as_pushed(tmp_path):
    card = render({"train": [document(1, "", GENE)]})
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    compile(code, "card", "exec")
    assert 'load_dataset("toy")' in code
    path = tmp_path / "README.md"
    path.write_text(card, encoding="utf-8")
    for name in ("org/toy", r"org/toy-\1"):  # pushed twice; a name is no pattern
        name_corpus(tmp_path, name)
        assert path.read_text(encoding="utf-8").replace(name.replace("\\", r"\\"), "toy") == card
    assert [file.name for file in tmp_path.iterdir()] == ["README.md"]
    path.write_text("# Mine\n", encoding="utf-8")
    name_corpus(tmp_path, "org/toy")  # a card that people have written stays as it is
    assert path.read_text(encoding="utf-8") == "# Mine\n"


@pytest.mark.parametrize(("rows", "category"), [(1, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K")])
def test_the_hub_reads_the_metadata(rows, category):
    one = [document(1, "", GENE)]
    data = DatasetCard(render({"train": one * (rows - 1), "test": one} if rows > 1 else {"train": one})).data
    assert data.size_categories == [category]
    assert (data.license, data.language, data.pretty_name) == ("cc-by-4.0", "en", "Toy corpus")
    assert data.task_categories == ["token-classification"] and data.task_ids == ["named-entity-recognition"]
    assert data.tags == ["biology", "medical", "biomedical-ner", "hf_bionerkd", "gene", "disease"]


def test_sections_stand_in_the_order_of_a_readers_questions():
    card = render({"train": [document(1, "", GENE)]}, dataclasses.replace(CARD, tags=("x",)))
    assert re.findall(r"^#+ (.*)$", card, re.MULTILINE) == [
        "Toy corpus",
        "How to load",
        "Size",
        "Where the labels come from",
        "Repaired or set aside",
        "Columns",
        "Sources",
        "Licence",
        "Citation",
    ]
