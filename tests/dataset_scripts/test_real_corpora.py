"""The readers on the real files, against counts that their publishers document or that a few plain lines count."""

import importlib.util
import re
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest
from datasets import load_dataset

from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.data.features import annotated_types, row_to_document

SCRIPTS = Path(__file__).parents[2] / "dataset_scripts"
FILES = ("train", "devel", "test")

# Sentences and mentions. JNLPBA's published numbers of sentences count its -DOCSTART- rows, given here apart.
CONLL = {
    "BC2GM": ((12574, 15197), (2519, 3061), (5038, 6325)),
    "BC5CDR": ((4560, 9385), (4581, 9593), (4797, 9809)),
    "BC5CDR-chem": ((4560, 5203), (4581, 5347), (4797, 5385)),
    "BC5CDR-disease": ((4560, 4182), (4581, 4246), (4797, 4424)),
    "JNLPBA": ((18607 - 1800, 46750), (1939 - 200, 4551), (4260 - 404, 8662)),
    "NCBI-disease": ((5424, 5134), (923, 787), (940, 960)),
    "linnaeus": ((11935, 2119), (4078, 711), (7142, 1433)),
}
JNLPBA_ABSTRACTS = {"train": 1800, "devel": 200, "test": 404}

# Documents, mentions, relations, repaired mentions. NCBI's training file holds one of its 592 abstracts twice.
PUBTATOR = {
    "bc5cdr/CDR_TrainingSet.PubTator.txt": (500, 9385, 1038, 0),
    "bc5cdr/CDR_DevelopmentSet.PubTator.txt": (500, 9591, 1012, 0),
    "bc5cdr/CDR_TestSet.PubTator.txt": (500, 9809, 1066, 0),
    "bc5cdr/TestSet.DNorm.PubTator.txt": (500, 4277, 0, 0),
    "bc5cdr/TestSet.tmChem.PubTator.txt": (500, 5107, 0, 0),
    "ncbi_disease/NCBItrainset_corpus.txt": (593, 5145, 0, 1),
    "ncbi_disease/NCBIdevelopset_corpus.txt": (100, 787, 0, 0),
    "ncbi_disease/NCBItestset_corpus.txt": (100, 960, 0, 0),
    "species800/SPECIES_Train.PubTator": (639, 3053, 0, 0),
    "species800/SPECIES_Test.PubTator": (160, 739, 0, 0),
    "linnaeus/Linnaeus_Train.PubTator": (80, 2321, 0, 0),
    "linnaeus/Linnaeus_Test.PubTator": (20, 576, 0, 0),
}

BUILDS = {
    "ncbi_disease": ("NCBI-disease", ("Disease",)),
    "bc5cdr": ("BC5CDR", ("Chemical", "Disease")),
    "bc5cdr_chem": ("BC5CDR-chem", ("Chemical",)),
    "bc2gm": ("BC2GM", ("Gene",)),
    "bc5cdr_disease": ("BC5CDR-disease", ("Disease",)),
    "jnlpba": ("JNLPBA", ("Protein", "DNA", "RNA", "CellType", "CellLine")),
    "linnaeus": ("linnaeus", ("Species",)),
}

pytestmark = pytest.mark.corpora


@pytest.mark.parametrize("corpus", ["JNLPBA"])  # the others' words are theirs alike, and are counted below
def test_conll_corpora_have_their_documented_counts(corpora_dir, corpus):
    for split, documented in zip(FILES, CONLL[corpus], strict=True):
        counts, sentences, mentions = Counter(), 0, 0
        path = corpora_dir / "conll" / corpus / f"{split}.tsv"
        printed = iter([line.split("\t")[0] for line in path.read_text().split("\n") if line and "DOCST" not in line])
        for document in read_conll(path, name=corpus, counts=counts):
            sentences += 1
            mentions += len(document.mentions)
            assert document.tokens == list(islice(printed, len(document.words)))
        assert (sentences, mentions) == documented
        assert next(printed, None) is None
        assert counts == Counter(docstart_rows=JNLPBA_ABSTRACTS[split] if corpus == "JNLPBA" else 0)


def test_jnlpba_sentences_know_their_abstract(corpora_dir):
    path = corpora_dir / "conll" / "JNLPBA" / "devel.tsv"
    numbers = [int(d.metadata["document_number"]) for d in read_conll(path, name="JNLPBA-devel")]
    assert sorted(set(numbers)) == list(range(1, 201)) and numbers == sorted(numbers)


@pytest.mark.parametrize("name", PUBTATOR)
def test_pubtator_corpora_have_their_documented_counts(corpora_dir, name):
    counts, aside = Counter(), []
    documents = list(read_pubtator(corpora_dir / "gold" / name, counts=counts, on_set_aside=aside.append))
    found = (len(documents), sum(len(d.mentions) for d in documents))
    assert (*found, counts["relations_skipped"], counts["mentions_repaired"]) == PUBTATOR[name]
    assert aside == []


def test_the_one_ncbi_mention_that_does_not_match_its_offsets_is_repaired(corpora_dir):
    path = corpora_dir / "gold" / "ncbi_disease" / "NCBItrainset_corpus.txt"
    printed = next(line for line in path.read_text().split("\n") if line.startswith("10923035\t711\t761\t"))
    assert printed.split("\t")[3].endswith('" plus "  ')
    document = next(d for d in read_pubtator(path) if d.id == "10923035")
    (mention,) = [m for m in document.mentions if m.start == 711]
    assert (mention.end, mention.text) == (761, 'generalized epilepsy and febrile seizures " plus "')
    assert [str(c) for c in mention.concepts] == ["MESH:D004829", "MESH:D003294"]


def test_bc5cdr_composite_mentions_keep_all_their_concepts(corpora_dir):
    path = corpora_dir / "gold" / "bc5cdr" / "CDR_TrainingSet.PubTator.txt"
    column = re.compile(r"^\d+\t\d+\t\d+\t[^\t]*\t[^\t]*\t([^\t\n]*)", re.MULTILINE)
    printed = Counter(c for field in column.findall(path.read_text()) for c in field.split("|") if c != "-1")
    read = Counter(c.identifier for d in read_pubtator(path) for m in d.mentions for c in m.concepts)
    assert read == printed


def test_every_annotation_that_pubtator_wrote_is_kept_or_set_aside(corpora_dir):
    for name, annotations in (("bioconcepts2pubtator_offsets.sample", 7539), ("ptc_sample.PubTator.txt", 9504)):
        counts, aside = Counter(), []
        path = corpora_dir / "pubtator_auto" / name
        kept = sum(len(d.mentions) for d in read_pubtator(path, counts=counts, on_set_aside=aside.append))
        assert kept + len(aside) == annotations
        assert counts["mentions_set_aside"] == len(aside) > 0


def test_every_gold_corpus_is_read_here_or_with_the_other_readers(corpora_dir):
    """BioC files are read in tests/corpora/test_real_files.py."""
    present = {path.relative_to(corpora_dir / "gold").as_posix() for path in (corpora_dir / "gold").rglob("*.*")}
    texts = {"bc5cdr/README_CDR.txt"}
    assert {name for name in present if "BioC" not in name} == {*PUBTATOR, *texts}
    assert {path.name for path in (corpora_dir / "conll").iterdir()} == set(CONLL)


def build_module(folder):
    spec = importlib.util.spec_from_file_location(f"build_{folder}", SCRIPTS / folder / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("folder", BUILDS)
def test_corpora_are_built_and_load(corpora_dir, tmp_path, monkeypatch, folder):
    monkeypatch.setenv("BIONERKD_CORPORA", str(corpora_dir))
    name, types = BUILDS[folder]
    assert build_module(folder).build(tmp_path / "out") == "built"
    dataset = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    for split, (sentences, mentions) in zip(("train", "validation", "test"), CONLL[name], strict=True):
        rows = dataset[split]
        assert len(rows) == sentences
        assert annotated_types(rows.features) == types
        begin = {rows.features["ner_tags"].feature.str2int(f"B-{kind}") for kind in types}
        assert sum(tag in begin for tags in rows["ner_tags"] for tag in tags) == mentions
    document = row_to_document(dataset["train"][0])
    assert document.id == f"{name}-train-000001"


def test_command_line_prints_what_it_did_and_fails_clearly(corpora_dir, tmp_path, monkeypatch, capsys):
    main = build_module("ncbi_disease").main
    for corpus, expected in (("NCBI-disease", "built"), ("NCBI-disease", "unchanged")):
        source = str(corpora_dir / "conll" / corpus)
        monkeypatch.setattr("sys.argv", ["build.py", "--output", str(tmp_path / "out"), "--source", source])
        main()
        assert capsys.readouterr().out == f"{tmp_path / 'out'}: {expected}\n"
    source = str(corpora_dir / "conll" / "linnaeus")
    monkeypatch.setattr("sys.argv", ["build.py", "--output", str(tmp_path / "other"), "--source", source])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert "mentions types ['Species'], but the corpus annotates ['Disease']" in str(exit_.value)  # and exit code 1
    assert not (tmp_path / "other").exists()


def test_species_800_is_built_of_whole_abstracts_with_their_pmids(corpora_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("BIONERKD_CORPORA", str(corpora_dir))
    assert build_module("species800").build(tmp_path / "out") == "built"
    dataset = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    counts = {split: (len(rows), sum(map(len, rows["mentions"]))) for split, rows in dataset.items()}
    assert counts == {"train": (639, 3053), "test": (160, 739)}
    assert dataset["train"]["document_id"][0] == dataset["train"]["id"][0] == "21241331"
