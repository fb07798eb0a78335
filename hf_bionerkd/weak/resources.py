"""The things that a weak corpus is made with: dictionary, joined tables, gold standards and abstracts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

from hf_bionerkd.corpora import (
    Article,
    PubMedRecord,
    PubMedUpdates,
    read_articles,
    read_bioc,
    read_bulk_rows,
    read_conll,
    read_pubtator,
)
from hf_bionerkd.corpora.concepts import PUBTATOR_SCHEMES
from hf_bionerkd.corpora.mentions import SetAside
from hf_bionerkd.documents import Document
from hf_bionerkd.knowledge import (
    Alternatives,
    Association,
    Associations,
    BulkAnnotations,
    ConceptNames,
    Lexicon,
    Matcher,
    entry_table,
    heading_ids,
    mesh_associations,
    normalise,
    read_counts,
    read_ctd_associations,
    read_ctd_vocabulary,
    read_identity,
    read_medic,
    read_mesh_table,
    read_mesh_xml,
    read_rgd_associations,
    read_terms,
    read_tree_numbers,
    table_entries,
    write_associations,
    write_bulk_annotations,
)
from hf_bionerkd.weak.labelling import Labeller
from hf_bionerkd.weak.leakage import LeakFinder
from hf_bionerkd.weak.settings import (
    AbstractSource,
    AssociationSource,
    LexiconConfig,
    VocabularySource,
    WeakConfig,
)
from hf_bionerkd.weak.start_cache import identity_of, is_whole, kept_table, mark_whole


def make_labeller(config: WeakConfig, counts: Counter[str]) -> Labeller:
    """Make the labeller with the configuration's dictionary and alternative identifiers."""
    return Labeller(config.types, _matcher(config), _alternatives(config), counts)


def _matcher(config: WeakConfig) -> Matcher | None:
    """Make the matcher from the dictionary's names, which the configuration's folder may have."""
    settings = config.lexicon
    if settings is None:
        return None
    files = [*(source.file for source in settings.vocabularies), settings.tree_numbers]
    # Whether a text's own abbreviations count is no property of the names.
    details = [list(config.types), asdict(replace(settings, abbreviations=True))]
    entries = kept_table(
        _kept(config, "lexicon"),
        lambda: identity_of(config, "lexicon", [file for file in files if file], details),
        lambda: entry_table(_lexicon(config, settings).entries()),
    )
    return Matcher(table_entries(entries), abbreviations=settings.abbreviations)


def _kept(config: WeakConfig, name: str) -> Path | None:
    return Path(config.cache) / f"{name}.arrow" if config.cache is not None else None


def _lexicon(config: WeakConfig, settings: LexiconConfig) -> Lexicon:
    lexicon = Lexicon(settings.order or config.types, settings.rules)
    # The configuration's own names come first: the first source of a name is the one that provenance states.
    for type_, names in settings.names.items():
        lexicon.add(type_, "names", [ConceptNames(normalise(key), texts) for key, texts in names.items()])
    positions = read_tree_numbers(config.path(settings.tree_numbers)) if settings.tree_numbers else {}
    for source in settings.vocabularies:
        concepts = _vocabulary(source, config.path(source.file))
        if source.branches is not None:
            concepts = source.branches.select(concepts, positions)
        lexicon.add(source.type, source.name, concepts, source.acronyms)
    return lexicon


def _vocabulary(source: VocabularySource, path: Path) -> Iterator[ConceptNames]:
    if source.format in ("ctd_diseases", "ctd_chemicals"):
        return read_ctd_vocabulary(path, "Disease" if source.format == "ctd_diseases" else "Chemical")
    readers = {"medic": read_medic, "mesh": read_mesh_table, "mesh_xml": read_mesh_xml, "terms": read_terms}
    return readers[source.format](path)


def _alternatives(config: WeakConfig) -> Alternatives:
    if config.alternatives is None:
        return Alternatives()
    path = config.path(config.alternatives)
    # MEDIC lists alternatives in its own edition and in CTD's; the file's name tells which this is.
    concepts = read_ctd_vocabulary(path, "Disease") if "CTD_diseases" in path.name else read_medic(path)
    return Alternatives((other, concept.concept) for concept in concepts for other in concept.alternatives)


def make_leak_finder(config: WeakConfig) -> LeakFinder:
    """Make the finder of leaks with the configuration's gold standards, which its folder may have."""
    table = kept_table(
        _kept(config, "gold"),
        lambda: identity_of(
            config,
            "gold",
            [source.file for source in config.leave_out],
            [config.min_gold_sentence, [asdict(source) for source in config.leave_out]],
        ),
        lambda: _read_gold(config).table(),
    )
    return LeakFinder.from_table(table, config.min_gold_sentence)


def _read_gold(config: WeakConfig) -> LeakFinder:
    # CoNLL has sentences of no known document; the other formats have documents with PMIDs.
    finder = LeakFinder(config.min_gold_sentence)
    for source in config.leave_out:
        path = config.path(source.file)
        if source.format == "conll":
            finder.add_sentences(source.name, read_conll(path, name=source.name))
        else:
            # Mentions of a gold standard are of no use here, and one with wrong offsets must not stop its document.
            ignored: list[dict[str, Any]] = []
            read = read_pubtator if source.format == "pubtator" else read_bioc
            documents = read(path, on_set_aside=ignored.append)
            finder.add_documents(source.name, documents, pmids=source.pmids)
    return finder


def pubmed_records(
    config: WeakConfig, sources: Iterable[AbstractSource | AssociationSource], counts: Counter[str]
) -> dict[str, Iterator[PubMedRecord]]:
    """Return the valid records of each PubMed file among some sources, of which later ones update earlier ones.

    Args:
        config (`WeakConfig`): The configuration.
        sources (`Iterable[AbstractSource | AssociationSource]`): The sources, whatever their formats.
        counts (`Counter`): Receives ``records_replaced`` and ``records_deleted`` while the records are read.
    """
    files = list(dict.fromkeys(source.file for source in sources if source.format == "pubmed"))
    updates = PubMedUpdates([config.path(file) for file in files])
    return {file: _valid(updates, index, counts) for index, file in enumerate(files)}


def _valid(updates: PubMedUpdates, index: int, counts: Counter[str]) -> Iterator[PubMedRecord]:
    own: Counter[str] = Counter()
    yield from updates.records(index, counts=own)
    counts.update({key: own[key] for key in ("records_replaced", "records_deleted") if own[key]})


def read_abstracts(
    config: WeakConfig,
    source: AbstractSource,
    counts: Counter[str],
    set_aside: SetAside,
    records: Mapping[str, Iterable[PubMedRecord]],
) -> Iterator[Document]:
    """Stream the abstracts of one file.

    Args:
        config (`WeakConfig`): The configuration.
        source (`AbstractSource`): The file.
        counts (`Counter`): Receives what the reader counts.
        set_aside (`Callable`): Takes mentions and rows that cannot be kept.
        records (`Mapping[str, Iterable[PubMedRecord]]`): The valid records of each PubMed file, by
            :func:`pubmed_records`.
    """
    path = config.path(source.file)
    if source.format == "articles":
        return (article.document() for article in read_articles(path))
    if source.format == "pubmed":
        return (record.document() for record in records[source.file])
    read = read_pubtator if source.format == "pubtator" else read_bioc
    # Annotated files: their mentions may become labels, and provenance says that they were given.
    origin = f"pubtator:{source.format}/given"
    return read(path, default_scheme=PUBTATOR_SCHEMES, source=origin, counts=counts, on_set_aside=set_aside)


def open_associations(config: WeakConfig, folder: Path, counts: Counter[str]) -> Associations | None:
    """Open the configuration's associations as one table, which is made unless the folder has it already.

    Args:
        config (`WeakConfig`): The sources.
        folder (`Path`): The folder of the table.
        counts (`Counter`): Receives what the readers count now, or counted when the table was made.

    Returns:
        The table; None where there is no source.
    """
    if not config.associations:
        return None
    files = [source.file for source in config.associations] + ([config.descriptors] if config.descriptors else [])
    # A table of the same files, read in the same way, is used again.
    identity = identity_of(config, "associations", files, [asdict(source) for source in config.associations])
    path = folder / "associations.parquet"
    if not is_whole(path) or read_identity(path) != identity:
        own: Counter[str] = Counter()
        records = pubmed_records(config, config.associations, own)
        rows = chain.from_iterable(_read_associations(config, source, own, records) for source in config.associations)
        write_associations(path, rows, identity, counts=own, memory_mb=config.memory_mb)
        mark_whole(path)
    counts.update(read_counts(path))
    return Associations(path, memory_mb=config.memory_mb)


def _read_associations(
    config: WeakConfig, source: AssociationSource, counts: Counter[str], records: Mapping[str, Iterable[PubMedRecord]]
) -> Iterator[Association]:
    path = config.path(source.file)
    if source.format == "ctd":
        return read_ctd_associations(path, source.columns, inferred=source.inferred, counts=counts)
    if source.format == "rgd":
        return read_rgd_associations(path, counts=counts)
    articles: Iterable[Article | PubMedRecord] = (
        read_articles(path) if source.format == "articles" else records[source.file]
    )
    # PubMed's XML has the identifiers of headings; articles in JSON have names, which the descriptors resolve.
    headings = None
    if config.descriptors:
        table = config.path(config.descriptors)
        headings = heading_ids(read_mesh_xml(table) if ".xml" in table.suffixes else read_mesh_table(table))
    return mesh_associations(articles, headings, counts=counts, path=path)


def open_bulk_annotations(
    config: WeakConfig, folder: Path, counts: Counter[str], set_aside: SetAside
) -> BulkAnnotations | None:
    """Open the configuration's bulk rows as one table; see :func:`open_associations`.

    Rows that cannot be read go to `set_aside` when the table is made, and are only counted afterwards.
    """
    if not config.bulk_annotations:
        return None
    files = [source.file for source in config.bulk_annotations]
    details = [list(config.types), [asdict(source) for source in config.bulk_annotations]]
    # The table holds only rows of the corpus' types, so these are part of what it is.
    identity = identity_of(config, "bulk annotations", files, details)
    path = folder / "bulk_annotations.parquet"
    if not is_whole(path) or read_identity(path) != identity:
        own: Counter[str] = Counter()
        rows = chain.from_iterable(
            read_bulk_rows(config.path(source.file), type=source.type, counts=own, on_set_aside=set_aside)
            for source in config.bulk_annotations
        )
        write_bulk_annotations(path, rows, config.types, identity, counts=own, memory_mb=config.memory_mb)
        mark_whole(path)
    counts.update({f"bulk_{name}": number for name, number in read_counts(path).items()})
    return BulkAnnotations(path, memory_mb=config.memory_mb)
