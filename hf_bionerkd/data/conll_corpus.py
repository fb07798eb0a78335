"""Build a corpus that is published as one file per split, as CoNLL columns or in PubTator's, BioC's or brat's format.

What it is made of stands in its ``card.yaml``.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hf_bionerkd.corpora.conll import read_conll
from hf_bionerkd.corpora.formats import read_documents
from hf_bionerkd.corpora.pubtator import read_pubtator
from hf_bionerkd.corpora.sentence_documents import assign_documents
from hf_bionerkd.data.build_script import BuildScript, Built
from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus_card import CorpusCard, check_keys, load_card
from hf_bionerkd.documents import Document
from hf_bionerkd.labels import Scheme

CORPORA_VARIABLE = "BIONERKD_CORPORA"


@dataclass(frozen=True)
class ConllSource:
    """The ``build`` section of the card of a corpus of one file per split.

    Args:
        folder (`str`): The corpus' folder below the one that ``$BIONERKD_CORPORA`` names.
        types (`list[str]`): Types that the corpus annotates, in label order, under our names.
        splits (`dict[str, str]`): Our split name to the file's name.
        rename (`dict[str, str]`, *optional*): Type in the files to our type; see :func:`read_conll`.
        keep_types (`list[str]`, *optional*): Our types to keep of files with more of them; `types` where it is empty
            and the files have none but these.
        format (`str`, *optional*, defaults to `"conll"`): `"conll"`, `"pubtator"`, `"bioc"` or `"brat"`; a row is then
            a whole document.
        scheme (`str`, *optional*, defaults to `"BIO"`): Tag scheme of CoNLL files.
        documents (`dict[str, str]`, *optional*): Our split name to a PubTator file of the whole documents, below the
            folder that ``$BIONERKD_CORPORA`` names: where it is there, sentences get their ``document_id``.
        expected (`dict[str, dict[str, int]]`, *optional*): Documented counts; see :func:`build_corpus`.
    """

    folder: str
    types: list[str]
    splits: dict[str, str]
    rename: dict[str, str] = field(default_factory=dict)
    keep_types: list[str] = field(default_factory=list)
    format: str = "conll"
    scheme: Scheme = "BIO"
    documents: dict[str, str] = field(default_factory=dict)
    expected: dict[str, dict[str, int]] = field(default_factory=dict)


def build_conll_corpus(
    card_path: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    source: str | os.PathLike[str] | None = None,
    *,
    check_counts: bool = True,
    overwrite: bool = False,
) -> Built:
    """Build the corpus of a card.

    Args:
        card_path (`str` or `PathLike`): The ``card.yaml``, whose ``build`` section is a :class:`ConllSource`.
        output_dir (`str` or `PathLike`): The folder to make; see :func:`build_corpus`.
        source (`str` or `PathLike`, *optional*): The folder of the published files; defaults to the card's folder
            below ``$BIONERKD_CORPORA``.
        check_counts (`bool`, *optional*, defaults to `True`): Whether other numbers than the documented ones are an
            error.
        overwrite (`bool`, *optional*, defaults to `False`): Replace whatever `output_dir` holds.

    Returns:
        `"built"` or `"unchanged"`.

    Raises:
        FileNotFoundError: No source folder is known, or it lacks a file; says where the corpus is published.
        CardError: The card has an unknown or missing key.
    """
    card, section = load_card(card_path)
    check_keys(ConllSource, section, f"{card_path}, section 'build'")
    conll = ConllSource(**section)
    folder = _source_folder(card, conll, source)
    files = {split: folder / name for split, name in conll.splits.items()}
    counts: Counter[str] = Counter()
    set_aside: list[Mapping[str, object]] = []
    splits: dict[str, Iterator[Document]] = {
        split: _documents(path, f"{card.name}-{split}", conll, counts, set_aside) for split, path in files.items()
    }
    whole = _document_files(conll)
    for split, path in whole.items():
        splits[split] = assign_documents(splits[split], read_pubtator(path), counts)
    return build_corpus(
        output_dir,
        splits,
        conll.types,
        card,
        [*files.values(), *whole.values()],
        settings={
            "splits": conll.splits,
            "rename": conll.rename,
            "scheme": conll.scheme,
            **({"keep_types": conll.keep_types} if conll.keep_types else {}),
            **({"format": conll.format} if conll.format != "conll" else {}),
        },
        set_aside=set_aside,
        counts=counts,
        expected=conll.expected if check_counts else None,
        overwrite=overwrite,
    )


def _documents(
    path: Path, name: str, conll: ConllSource, counts: Counter[str], set_aside: list[Mapping[str, object]]
) -> Iterator[Document]:
    """Stream the documents of one file, with the types that the corpus annotates; each row knows its document."""
    if conll.format == "conll":
        kept = conll.keep_types or None
        for sentence in read_conll(
            path, name=name, scheme=conll.scheme, rename=conll.rename, keep_types=kept, counts=counts
        ):
            number = sentence.metadata.get("document_number")
            known = {"document_id": f"{name}-document-{number}"} if number else {}
            yield replace(sentence, metadata={**known, **sentence.metadata})
        return
    for document in read_documents(path, conll.format, counts=counts, on_set_aside=set_aside.append):
        renamed = tuple(replace(m, type=conll.rename.get(m.type, m.type)) for m in document.mentions)
        mentions = tuple(m for m in renamed if not conll.keep_types or m.type in conll.keep_types)
        counts["mentions_of_other_types"] += len(renamed) - len(mentions)
        yield replace(document, mentions=mentions, metadata={"document_id": document.id, **document.metadata})


def _document_files(conll: ConllSource) -> dict[str, Path]:
    """Return the files of whole documents that are there, by split."""
    root = os.environ.get(CORPORA_VARIABLE)
    files = {split: Path(root) / name for split, name in conll.documents.items()} if root else {}
    return {split: path for split, path in files.items() if path.is_file()}


def _source_folder(card: CorpusCard, conll: ConllSource, source: str | os.PathLike[str] | None) -> Path:
    names = ", ".join(conll.splits.values())
    published = f"The files are published at {card.source_url} ({card.license})."
    if source is None:
        root = os.environ.get(CORPORA_VARIABLE)
        if not root:
            raise FileNotFoundError(
                f"no source for {card.name}: give the folder that holds {names} (--source), or set {CORPORA_VARIABLE} "
                f"to a folder that holds {conll.folder}. {published}"
            )
        source = Path(root) / conll.folder
    missing = [name for name in conll.splits.values() if not (Path(source) / name).is_file()]
    if missing:
        raise FileNotFoundError(f"{source} lacks {', '.join(missing)}, which {card.name} is built from. {published}")
    return Path(source)


class ConllScript(BuildScript):
    """The build script of a corpus of one file per split; all that is its own stands in its ``card.yaml``."""

    def build(
        self, output_dir: str | os.PathLike[str], source: str | os.PathLike[str] | None = None, **options: Any
    ) -> Built:
        """Build the corpus; see :func:`build_conll_corpus`, whose `options` may be given."""
        return build_conll_corpus(self.card, output_dir, source, **options)

    def add_options(self, parser: argparse.ArgumentParser) -> None:
        """Add `--source`, `--output`, `--no-check-counts` and `--overwrite`."""
        parser.add_argument("--source", help=f"folder of the published files (default: below ${CORPORA_VARIABLE})")
        parser.add_argument("--output", required=True, help="folder to make")
        parser.add_argument(
            "--no-check-counts", action="store_true", help="accept other counts than the documented ones"
        )
        parser.add_argument("--overwrite", action="store_true", help="replace whatever the output folder holds")

    def build_from(self, options: argparse.Namespace) -> Built:
        """Build the corpus as the command line says."""
        return self.build(
            options.output, options.source, check_counts=not options.no_check_counts, overwrite=options.overwrite
        )
