import json

import pytest
from weak_material import ARTICLES, CONFIG, write_world

from hf_bionerkd.corpora.articles import read_articles
from hf_bionerkd.corpora.bioc import read_bioc
from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.corpora.statistics import fold
from hf_bionerkd.documents import Document
from hf_bionerkd.weak.building import WeakCorpus
from hf_bionerkd.weak.sentences import document_sentences
from hf_bionerkd.weak.settings import WeakConfigError, load_weak_config


def read(path, view="coverage", **overrides):
    with WeakCorpus(load_weak_config(path, **overrides)) as corpus:
        sentences = list(corpus.sentences(view))
        return sentences, corpus.counts, list(corpus.set_aside)


def mentions(sentences):
    return [(s.id, m.text, m.type[0], m.source) for s in sentences for m in s.mentions]


WORD, CHEMICAL = "dictionary:medic/word", "dictionary:mesh/word"
COVERAGE = [
    ("a1:1", "Levodopa", "C", CHEMICAL),
    ("a1:1", "dyskinesia", "D", WORD),
    ("a1:2", "Levodopa", "C", CHEMICAL),
    ("a1:2", "dyskinesia", "D", WORD),
    ("a1:3", "Gout", "D", WORD),
    ("a2:1", "gout", "D", WORD),
    ("a2:2", "Gout", "D", WORD),
    ("a2:2", "Allopurinol", "C", CHEMICAL),
    ("a2:3", "Nausea", "D", WORD),
    ("a2:3", "NS", "D", "dictionary:medic/abbreviation"),
    ("a2:4", "NS", "D", "dictionary:medic/abbreviation"),
    ("a9:2", "podagra", "D", "pubtator:DNorm/bulk"),
]
# Gout of a1 by OMIM's number in CTD, an alternative of MEDIC's; nothing confirms allopurinol, nausea, nor NS.
CONFIRMED = {("a1", "Levodopa"): "CTD", ("a1", "dyskinesia"): "CTD", ("a1", "Gout"): "CTD"} | {
    ("a2", "gout"): "MeSH",
    ("a2", "Gout"): "MeSH",
    ("a9", "podagra"): "RGD",
}


def test_coverage_has_every_mention_of_every_abstract_with_an_association(tmp_path):
    sentences, counts, aside = read(write_world(tmp_path))
    assert mentions(sentences) == COVERAGE
    assert [s.id for s in sentences if s.id.startswith("a9")] == ["a9:1", "a9:2", "a9:4"]  # a9:3 is a gold sentence
    assert {(s.id[:2], s.metadata["document_id"]) for s in sentences} == {("a1", "101"), ("a2", "102"), ("a9", "109")}
    assert {key: n for key, n in counts.items() if key.startswith(("abstracts", "sentences"))} == {
        "abstracts": 3,
        "abstracts_read": 10,
        "abstracts_left_out_without_text": 1,
        "abstracts_left_out_as_gold_by_pmid": 1,
        "abstracts_left_out_as_gold_by_text": 1,
        "abstracts_left_out_as_repeated": 2,
        "abstracts_left_out_without_association": 2,
        "abstracts_with_an_association": 3,
        "abstracts_labelled_by_bulk_rows": 1,
        "abstracts_labelled_by_dictionary": 3,  # chemicals where the bulk rows are of diseases alone
        "sentences_left_out_as_gold": 1,
    }
    assert counts["bulk_mentions_not_found"] == 1
    assert aside == [
        {
            "id": "a7",
            "document_id": "900",
            "reason": "gold",
            "rule": "pmid",
            "gold_set": "gold-test",
            "gold_id": "900",
        },
        {
            "id": "a8",
            "document_id": "108",
            "reason": "gold",
            "rule": "text",
            "gold_set": "gold-test",
            "gold_id": "901",
        },
    ]


def test_accuracy_has_the_same_sentences_with_the_confirmed_mentions(tmp_path):
    path = write_world(tmp_path)
    coverage, accuracy = read(path)[0], read(path, "accuracy")[0]
    assert [(s.id, s.text, s.words, s.metadata) for s in accuracy] == [
        (s.id, s.text, s.words, s.metadata) for s in coverage
    ]
    assert mentions(accuracy) == [
        (id_, text, type_, f"{source}:{CONFIRMED[id_[:2], text]}")
        for id_, text, type_, source in COVERAGE
        if (id_[:2], text) in CONFIRMED
    ]


def test_without_required_associations_every_clean_abstract_enters(tmp_path):
    sentences, counts, _ = read(write_world(tmp_path), require_association=False)
    assert {s.id.partition(":")[0] for s in sentences} == {"a1", "a2", "a3", "a4", "a9"}
    assert {s.metadata["document_id"] for s in sentences if s.id.startswith("a4")} == {"a4"}
    assert counts["abstracts"] == 5 and counts["abstracts_with_an_association"] == 3


def test_a_limit_takes_the_first_abstracts_of_the_corpus(tmp_path):
    for view in ("coverage", "accuracy"):
        sentences, counts, _ = read(write_world(tmp_path), view, limit=2)
        assert {s.id[:2] for s in sentences} == {"a1", "a2"} and counts["abstracts"] == 2


def test_whole_abstracts_have_both_views(tmp_path):
    with WeakCorpus(load_weak_config(write_world(tmp_path))) as corpus:
        found = {labels.document.id: labels for labels in corpus.abstracts()}
    assert sorted(found) == ["a1", "a2", "a9"]
    assert [m.text for m in found["a2"].coverage] == ["gout", "Gout", "Allopurinol", "Nausea", "NS", "NS"]
    assert [m.text for m in found["a2"].accuracy] == ["gout", "Gout"]


PUBTATOR = (
    "101|t|Levodopa and dyskinesia.\n101|a|Other text here.\n101\t1\t9\tLevodopa\tChemical\tMESH:D007980\n"
    "101\t13\t23\tdyskinesia\tDisease\tSNOMED:1\n101\t40\t50\tnowhere\tDisease\tMESH:D006073\n"
    "101\t25\t30\tOther\tGene\t7\n\n109|t|Gout.\n109|a|\n\n"
)


@pytest.mark.parametrize("copy", [("b1", ""), ("b1", "777")])  # that nothing is associated with
def test_a_copy_that_does_not_enter_keeps_no_other_one_out(copy, tmp_path):
    path = write_world(tmp_path)
    _, _, title, abstract, _ = ARTICLES[1]
    article = {"id": copy[0], "pmid": copy[1], "title": title, "abstract": abstract, "mesh": []}
    (tmp_path / "copies.jsonl").write_text(json.dumps(article) + "\n")
    sources = [{"file": name, "format": "articles"} for name in ("copies.jsonl", "articles.jsonl")]
    sentences, counts, _ = read(path, abstracts=sources)
    assert mentions(sentences) == COVERAGE
    assert counts["abstracts_left_out_as_repeated"] == 2 and counts["abstracts_left_out_without_association"] == 3


BIOC = """<?xml version="1.0" encoding="UTF-8"?>
<collection><source>t</source><date>2020</date><key>k</key>
<document><id>PMC5</id><passage>
<infon key="article-id_pmid">0101</infon><infon key="type">title</infon><offset>0</offset>
<text>Another edition of its title.</text></passage></document></collection>
"""


def test_a_gold_standard_in_bioc_is_found_by_the_pmid_of_its_article(tmp_path):
    path = write_world(tmp_path)
    (tmp_path / "gold.xml").write_text(BIOC)
    gold = [{"file": "gold.xml", "format": "bioc", "name": "bioc-test"}]
    sentences, counts, aside = read(path, leave_out=gold)
    assert not [s.id for s in sentences if s.id.startswith("a1:")]
    assert counts["abstracts_left_out_as_gold_by_pmid"] == 1 and counts["abstracts_left_out_as_gold_by_text"] == 0
    assert [(entry["id"], entry["gold_id"]) for entry in aside] == [("a1", "PMC5")]


def test_an_odd_pmid_is_none_and_where_a_mesh_heading_stands_under_it_the_file_is_named(tmp_path):
    path = write_world(tmp_path)
    odd = {"id": "x", "title": "Gout.", "abstract": "", "mesh": []}
    with (tmp_path / "articles.jsonl").open("a") as file:
        file.write(json.dumps(odd | {"pmid": "9" * 5000}) + "\n")
    assert mentions(read(path)[0]) == COVERAGE
    with (tmp_path / "articles.jsonl").open("a") as file:
        file.write(json.dumps(odd | {"pmid": "PMC1", "mesh": ["Gout"]}) + "\n")
    with pytest.raises(CorpusError, match=r"articles\.jsonl.*PMC1"):
        read(path)


def test_passages_of_one_article_all_enter_and_only_equal_texts_are_copies(tmp_path):
    path = write_world(tmp_path)
    texts = ["Levodopa.", "Dyskinesia of rats.", "Gout, too.", "Gout, too.", "Levodopa again."]
    (tmp_path / "passages.txt").write_text("".join(f"101|t|{text}\n101|a|\n\n" for text in texts))
    (tmp_path / "later.txt").write_text("101|t|Another edition of 101.\n\n102|t|Gout.\n")
    sources = [{"file": f"{name}.txt", "format": "pubtator"} for name in ("passages", "later")]
    sentences, counts, _ = read(path, abstracts=sources)
    assert [(s.id, s.text, s.metadata["document_id"]) for s in sentences] == [
        ("101:1", "Levodopa.", "101"),
        ("101-2:1", "Dyskinesia of rats.", "101"),
        ("101-3:1", "Gout, too.", "101"),
        ("101-4:1", "Levodopa again.", "101"),
        ("102:1", "Gout.", "102"),
    ]
    # The same text; and an article that another file has had.
    assert counts["abstracts_left_out_as_repeated"] == 2


def test_pubmed_updates_replace_and_withdraw_abstracts_of_the_baseline(tmp_path):
    path = write_world(tmp_path)

    def record(pmid, text):
        article = (
            f"<Article><ArticleTitle>T{pmid}.</ArticleTitle><Abstract><AbstractText>{text}</AbstractText></Abstract>"
        )
        return (
            f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID>{article}</Article></MedlineCitation></PubmedArticle>"
        )

    files = {
        "base.xml": record(101, "OLD gout.") + record(102, "Withdrawn gout."),
        "update.xml": record(101, "NEW gout.") + "<DeleteCitation><PMID>102</PMID></DeleteCitation>",
    }
    for name, content in files.items():
        (tmp_path / name).write_text(f"<PubmedArticleSet>{content}</PubmedArticleSet>")
    sources = [{"file": name, "format": "pubmed"} for name in files]
    sentences, counts, _ = read(path, abstracts=sources)
    assert [s.text for s in sentences] == ["T101.", "NEW gout."]
    assert (counts["records_replaced"], counts["records_deleted"]) == (1, 1)
    assert counts["abstracts_left_out_as_repeated"] == 0


def test_of_two_annotators_of_one_abstract_the_first_counts_and_what_is_lost_is_counted(tmp_path):
    path = write_world(tmp_path)
    texts = "101|t|Levodopa and dyskinesia.\n101|a|\n"
    (tmp_path / "dnorm.txt").write_text(texts + "101\t13\t23\tdyskinesia\tDisease\tMESH:D004409\n\n")
    (tmp_path / "tmchem.txt").write_text(texts + "101\t0\t8\tLevodopa\tChemical\tMESH:D007980\n\n")
    dnorm, tmchem = ({"file": f"{name}.txt", "format": "pubtator"} for name in ("dnorm", "tmchem"))
    given = "pubtator:pubtator/given"
    sentences, counts, _ = read(path, abstracts=[dnorm, tmchem])
    assert mentions(sentences) == [("101:1", "dyskinesia", "D", given)]
    assert counts["mentions_left_out_with_repeated_abstracts"] == 1
    sentences, counts, _ = read(path, abstracts=[dnorm | {"types": ["Disease"]}])  # and the dictionary the others
    assert mentions(sentences) == [("101:1", "Levodopa", "C", CHEMICAL), ("101:1", "dyskinesia", "D", given)]
    with pytest.raises(WeakConfigError, match="the types \\['Gene'\\] of 'dnorm.txt' are not all among"):
        read(path, abstracts=[dnorm | {"types": ["Gene"]}])


def test_given_labels_come_first_and_misplaced_ones_are_repaired_or_set_aside(tmp_path):
    path = write_world(tmp_path)
    (tmp_path / "pubtator.txt").write_text(PUBTATOR)
    sources = [{"file": "pubtator.txt", "format": "pubtator"}, {"file": "articles.jsonl", "format": "articles"}]
    sentences, counts, aside = read(path, abstracts=sources)
    own = [found for found in mentions(sentences) if not found[0].startswith("a")]
    given = "pubtator:pubtator/given"
    assert own == [("101:1", "Levodopa", "C", given), ("101:1", "dyskinesia", "D", given)]
    assert {s.id.partition(":")[0] for s in sentences} == {"101", "109", "a2"}  # a1 and a9 have the same PMIDs
    assert (counts["mentions_repaired"], counts["mentions_set_aside"]) == (1, 1)
    assert counts["mentions_of_other_types"] == 1 and counts["identifiers_not_understood"] == 1
    assert [entry["text"] for entry in aside if "text" in entry] == ["nowhere"]


KEPT = ["associations.parquet", "bulk_annotations.parquet", "gold.arrow", "lexicon.arrow"]
MARKS = ["associations.parquet.sha256", "bulk_annotations.parquet.sha256"]


def test_the_start_is_kept_until_a_source_changes(tmp_path, monkeypatch):
    path, cache = write_world(tmp_path / "world"), tmp_path / "cache"
    fresh, first_counts, aside = read(path)
    first, counts, _ = read(path, cache=str(cache))
    assert first == fresh and sorted(entry.name for entry in cache.iterdir()) == sorted(KEPT + MARKS)
    written = {entry: entry.stat().st_mtime_ns for entry in map(cache.joinpath, KEPT)}
    assert read(path, cache=str(cache)) == (fresh, first_counts, aside)
    assert counts["ctd_rows"] == 2 and counts["bulk_rows"] == 1
    assert {entry: entry.stat().st_mtime_ns for entry in written} == written

    def changed():
        return sorted(entry.name for entry, time in written.items() if entry.stat().st_mtime_ns != time)

    with open(tmp_path / "world" / "ctd.tsv", "a") as handle:
        handle.write("D000493\tMESH:D006073\t103\n")
    assert {s.id[:2] for s in read(path, cache=str(cache))[0]} == {"a1", "a2", "a3", "a9"}
    assert changed() == KEPT[:1]
    with open(tmp_path / "world" / "medic.txt", "a") as handle:
        handle.write("D009325||Nausea|Years of gout\n")
    with open(tmp_path / "world" / "gold.txt", "a") as handle:
        handle.write("101|t|Another title.\n101|a|Another abstract.\n\n")
    assert "a1" not in {s.id[:2] for s in read(path, cache=str(cache))[0]}
    assert changed() == ["associations.parquet", "gold.arrow", "lexicon.arrow"]


def test_the_start_is_made_anew_where_settings_or_code_change(tmp_path, monkeypatch):
    path, cache = write_world(tmp_path / "world"), tmp_path / "cache"
    read(path, cache=str(cache))
    stopped = read(write_world(tmp_path / "world", lexicon={**CONFIG["lexicon"], "rules": {"stop": ["gout"]}}))[0]
    assert mentions(read(path, cache=str(cache))[0]) == mentions(stopped) != COVERAGE
    before = (cache / "gold.arrow").read_bytes()
    monkeypatch.setattr("hf_bionerkd.weak.start_cache.code_version", lambda: "another")
    read(path, cache=str(cache))
    assert (cache / "gold.arrow").read_bytes() != before


@pytest.mark.parametrize("name", ["gold.arrow", "lexicon.arrow", "associations.parquet"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_part_of_the_start_is_made_anew(tmp_path, name, damage):
    path, cache = write_world(tmp_path / "world"), tmp_path / "cache"
    right = read(path, cache=str(cache))[0]
    content = (cache / name).read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]
    (cache / name).write_bytes({"cut": content[:middle], "flipped": flipped, "empty": b""}[damage])
    assert read(path, cache=str(cache))[0] == right
    assert (cache / name).read_bytes() == content


def test_a_damaged_source_is_an_error_that_names_it(tmp_path):
    path = write_world(tmp_path)
    (tmp_path / "ctd.tsv").write_text("ChemicalID\tDisease\tPubMedIDs\n")
    with pytest.raises(CorpusError, match=r"ctd.tsv:1: the table has no column 'DiseaseID' \(but 'Disease'\)"):
        read(path)


def test_settings_say_everything_but_where_things_lie(tmp_path):
    config = load_weak_config(write_world(tmp_path), cache="somewhere", memory_mb=100)
    with WeakCorpus(config) as corpus:
        assert not {"root", "cache", "memory_mb"} & corpus.settings.keys()
        assert json.loads(json.dumps(corpus.settings)) == corpus.settings
        assert sorted({path.name for path in corpus.sources}) == sorted(p.name for p in corpus.sources)
        assert tmp_path / "gold.txt" in corpus.sources and len(corpus.sources) == 8


def test_the_world_holds_what_the_tests_say():
    texts = [f"{title} {abstract}" for _, _, title, abstract, _ in ARTICLES]
    assert "".join(filter(str.isalnum, texts[1].lower())) == "".join(filter(str.isalnum, texts[5].lower()))


@pytest.mark.corpora
@pytest.mark.parametrize(
    ("file", "format_", "documents"),
    [
        ("bioconcepts2pubtator_offsets.sample", "pubtator", 651),
        ("ptc_sample.PubTator.txt", "pubtator", 132),
        ("ptc_sample.BioC.xml", "bioc", 132),
    ],
)
def test_every_mention_that_pubtator_gave_is_taken_or_counted(corpora_dir, tmp_path, file, format_, documents):
    path = corpora_dir / "pubtator_auto" / file
    config = {"types": ["Chemical", "Disease"], "leave_out": [], "require_association": False}
    config["abstracts"] = [{"file": str(path), "format": format_}]
    (tmp_path / "weak.yaml").write_text(json.dumps(config))
    read_file = read_pubtator if format_ == "pubtator" else read_bioc
    raw = list(read_file(path, on_set_aside=[].append))
    assert len(raw) == documents
    with WeakCorpus(load_weak_config(tmp_path / "weak.yaml")) as corpus:
        labels = list(corpus.abstracts())
        taken = sum(len(found.coverage) for found in labels)
        assert corpus.counts["abstracts_read"] == documents
        kept = {found.document.id for found in labels}
        wanted = [m for d in raw if d.id in kept for m in d.mentions if m.type in ("Chemical", "Disease")]
        assert taken == len(wanted) > 600
        assert not any(found.accuracy for found in labels)


@pytest.mark.corpora
def test_no_gold_document_or_sentence_is_left_among_real_abstracts(corpora_dir, tmp_path):
    """Checked by PMIDs and by whole sentences without white space and case, as another module folds them."""
    abstracts = corpora_dir / "unlabelled" / "abstracts.jsonl.gz"
    golds = [f"bc5cdr/CDR_{name}Set" for name in ("Training", "Development", "Test")]
    gold = [d for name in golds for d in read_pubtator(corpora_dir / "gold" / f"{name}.PubTator.txt")]
    pmids, texts = {d.id for d in gold}, {fold(d.text) for d in gold}
    texts |= {fold(s.text) for d in gold for s in document_sentences(Document(d.id, d.text, (), (), d.passages))}
    planted = [{"id": f"planted:{d.id}", "title": "", "abstract": d.text.upper()} for d in gold[:3]]
    chosen = [a for a in read_articles(abstracts) if a.source == "cohen2006"][:2500]
    rows = planted + [{"id": a.id, "pmid": a.pmid, "title": a.title, "abstract": a.abstract} for a in chosen]
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = {
        "types": ["Disease"],
        "abstracts": [{"file": str(tmp_path / "some.jsonl"), "format": "articles"}],
        "leave_out": [
            {"file": f"gold/{name}.PubTator.txt", "format": "pubtator", "name": name.lower()} for name in golds
        ],
        "require_association": False,
        "root": str(corpora_dir),
    }
    (tmp_path / "weak.yaml").write_text(json.dumps(config))
    sentences, counts, aside = read(tmp_path / "weak.yaml")
    assert not pmids & {s.metadata["document_id"] for s in sentences}
    assert not texts & {fold(s.text) for s in sentences}
    real = [entry for entry in aside if entry["rule"] == "pmid"]
    assert {entry["document_id"] for entry in real} == pmids & {a.pmid for a in chosen}
    texts_found = [entry for entry in aside if entry["rule"] == "text"]
    assert [entry["id"] for entry in texts_found[:3]] == [row["id"] for row in planted]
    assert [entry["gold_id"] for entry in texts_found[:3]] == [d.id for d in gold[:3]]
    assert counts["abstracts"] > 2400
