"""The readers of the vocabularies that give concepts their names: MEDIC, CTD's tables, MeSH, plain lists of terms.

==============================  =======================================================================================
MEDIC (2012 edition)            one ``ID|alternative||name|synonym|…`` per line; bare numbers are OMIM's
CTD_diseases, CTD_chemicals     CTD tables (:mod:`hf_bionerkd.knowledge.ctd`) with names, synonyms, alternative IDs
roots of MEDIC and CTD's        left out: the branches ``C`` Diseases and ``D`` Chemicals of MeSH's trees are no
                                concepts
MeSH table                      ``ID<tab>name<tab>entry term|entry term…``, no header
MeSH tree numbers               ``mesh_id<tab>mesh_name<tab>mesh_tree_number``, one row per position in the
                                trees
MeSH XML                        DescriptorRecord and SupplementalRecord elements with all their terms
lists of terms                  ``term<tab>MeSH ID``, lower-case
RGD genes                       ``ID<tab>symbol<tab>synonym;synonym…<tab>…`` with header
names                           with HTML's entities as the signs they stand for (:mod:`hf_bionerkd.knowledge.tables`)
a web page, a line of another   error that names the file and the line
form
==============================  =======================================================================================
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hf_bionerkd.corpora.files import CorpusError
from hf_bionerkd.corpora.xml_elements import read_elements
from hf_bionerkd.documents import ConceptRef
from hf_bionerkd.knowledge.ctd import read_ctd_table
from hf_bionerkd.knowledge.identifiers import MESH, OMIM, normalise_at
from hf_bionerkd.knowledge.tables import read_table_lines, unescape

Path = str | os.PathLike[str]

# What MEDIC and CTD's tables put above all others: branches of MeSH's trees, whose letters are no identifiers.
_ROOTS = {"Disease": "C", "Chemical": "D"}


@dataclass(frozen=True, slots=True)
class ConceptNames:
    """A concept with its names, as one vocabulary gives them.

    Args:
        concept (`ConceptRef`): Its identifier, normalised.
        names (`tuple[str, ...]`): The preferred name first.
        alternatives (`tuple[ConceptRef, ...]`, *optional*): Other identifiers of the same concept.
        cased (`bool`, *optional*, defaults to `True`): Whether the spelling tells acronyms from words.
    """

    concept: ConceptRef
    names: tuple[str, ...]
    alternatives: tuple[ConceptRef, ...] = ()
    cased: bool = True


def read_medic(path: Path) -> Iterator[ConceptNames]:
    """Stream the diseases of MEDIC in its edition of 2012.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.

    Raises:
        CorpusError: A line has another form. The message names the file and the line.
    """
    for number, line in _rows(path, "MEDIC"):
        identifiers, bars, names = line.partition("||")
        if not bars or not names.strip("| "):
            raise CorpusError(f"{path}:{number}: {line[:80]!r} is not 'ID|alternative IDs||name|synonym|…'")
        # The root of the hierarchy is no disease.
        if identifiers == _ROOTS["Disease"]:
            continue
        # This edition writes OMIM's numbers without a vocabulary.
        first, *others = (
            normalise_at(f"{path}:{number}", value, OMIM if value.strip().isdigit() else "")
            for value in identifiers.split("|")
        )
        yield ConceptNames(first, _distinct(names.split("|")), tuple(others))


def read_ctd_vocabulary(path: Path, kind: Literal["Disease", "Chemical"]) -> Iterator[ConceptNames]:
    """Stream the concepts of CTD_diseases (MEDIC in its present form) or CTD_chemicals.

    Args:
        path (`str` or `PathLike`): The table, tab- or comma-separated, plain or ``.gz``.
        kind (`str`): Which of the two: `"Disease"` or `"Chemical"`.

    Raises:
        CorpusError: The table is not this one (:func:`~hf_bionerkd.knowledge.ctd.read_ctd_table`), or an identifier is
            unknown.
    """
    # Editions differ in how they split synonyms over columns; each table has some of these.
    lists = ["Synonyms", "MESHSynonyms", "CTDCuratedSynonyms"]
    rows = read_ctd_table(path, [f"{kind}ID", f"{kind}Name"], ["AltDiseaseIDs", *lists])
    for number, (identifier, name, alternatives, *synonyms) in rows:
        if identifier.removeprefix(f"{MESH}:") == _ROOTS[kind]:
            continue
        where = f"{path}:{number}"
        names = [name, *(synonym for column in synonyms for synonym in column.split("|"))]
        others = tuple(normalise_at(where, value) for value in alternatives.split("|") if value)
        yield ConceptNames(normalise_at(where, identifier), _distinct(names), others)


def read_mesh_table(path: Path) -> Iterator[ConceptNames]:
    """Stream MeSH descriptors from a table of identifier, name and entry terms.

    Args:
        path (`str` or `PathLike`): The file, plain or ``.gz``.

    Raises:
        CorpusError: A line has another form, or an identifier is not MeSH's.
    """
    for number, line in _rows(path, "MeSH"):
        columns = line.split("\t")
        if len(columns) != 3 or not columns[1].strip():
            raise CorpusError(f"{path}:{number}: {line[:80]!r} is not 'ID<tab>name<tab>entry term|entry term|…'")
        concept = normalise_at(f"{path}:{number}", columns[0], MESH)
        yield ConceptNames(concept, _distinct([columns[1], *columns[2].split("|")]))


def read_mesh_xml(path: Path) -> Iterator[ConceptNames]:
    """Stream MeSH descriptors or supplementary records from NLM's XML.

    Args:
        path (`str` or `PathLike`): A DescriptorRecordSet or SupplementalRecordSet, plain or ``.gz``.

    Raises:
        CorpusError: The file is neither of the two or is damaged, or a record has no identifier or name.
    """
    kind = _mesh_kind(path)
    # The fields of a DescriptorRecord begin with Descriptor, those of a SupplementalRecord with the whole name.
    field = "Descriptor" if kind == "Descriptor" else "SupplementalRecord"
    for record in read_elements(path, f"{kind}RecordSet", [f"{kind}Record"]):
        identifier, name = record.findtext(f"{field}UI"), record.findtext(f"{field}Name/String")
        where = f"{path}:{record.sourceline}"
        if not identifier or not name:
            raise CorpusError(f"{where}: a {kind}Record without {field}UI or {field}Name/String; fetch the file again")
        terms = [term.text or "" for term in record.iterfind("ConceptList/Concept/TermList/Term/String")]
        yield ConceptNames(normalise_at(where, identifier, MESH), _distinct([name, *terms]))


def _mesh_kind(path: Path) -> str:
    # The root element tells which of the two it is; it stands before the first record.
    for _, line in read_table_lines(path, "MeSH"):
        for kind in ("Descriptor", "Supplemental"):
            if f"<{kind}RecordSet" in line:
                return kind
        if "Record>" in line or "Record " in line:
            break
    raise CorpusError(f"{path}: no <DescriptorRecordSet> and no <SupplementalRecordSet>; is this MeSH's XML?")


def read_terms(path: Path, default_scheme: str = MESH) -> Iterator[ConceptNames]:
    """Stream a list of lower-case terms; a concept comes once per term.

    Args:
        path (`str` or `PathLike`): Lines of ``term<tab>identifier``, plain or ``.gz``.
        default_scheme (`str`, *optional*, defaults to `"MESH"`): Vocabulary of identifiers that name none.

    Raises:
        CorpusError: A line has another form, or an identifier is unknown.
    """
    for number, line in _rows(path, "a vocabulary"):
        term, tab, identifier = line.rpartition("\t")
        if not tab or not term.strip():
            raise CorpusError(f"{path}:{number}: {line[:80]!r} is not 'term<tab>identifier'")
        yield ConceptNames(
            normalise_at(f"{path}:{number}", identifier, default_scheme), _distinct([term]), cased=False
        )


def read_rgd_genes(path: Path) -> Iterator[ConceptNames]:
    """Stream RGD's genes: symbol first, then synonyms.

    Args:
        path (`str` or `PathLike`): Tab-separated with the columns ``ID``, ``symbol`` and ``synonyms``, plain or
            ``.gz``.

    Raises:
        CorpusError: A column is missing, or a row has another number of fields.
    """
    for number, (identifier, symbol, synonyms) in read_ctd_table(path, ["ID", "symbol", "synonyms"], owner="RGD"):
        # Entities end with the separator.
        names = _distinct([symbol, *unescape(synonyms).split(";")])
        if names:
            yield ConceptNames(normalise_at(f"{path}:{number}", identifier, "RGD"), names)


def read_tree_numbers(path: Path) -> dict[ConceptRef, tuple[str, ...]]:
    """Read the positions of every descriptor in MeSH's trees.

    Args:
        path (`str` or `PathLike`): Tab-separated with the columns ``mesh_id`` and ``mesh_tree_number``.

    Raises:
        CorpusError: A column is missing, or a row has another number of fields.
    """
    positions: defaultdict[ConceptRef, list[str]] = defaultdict(list)
    for number, (identifier, tree_number) in read_ctd_table(path, ["mesh_id", "mesh_tree_number"], owner="MeSH"):
        positions[normalise_at(f"{path}:{number}", identifier, MESH)].append(tree_number)
    return {concept: tuple(numbers) for concept, numbers in positions.items()}


@dataclass(frozen=True)
class Branches:
    """A choice of branches of MeSH's trees, for taking some kinds of concept out of a vocabulary.

    Each position of a descriptor is decided by the longest branch that holds it; a position in no branch decides
    nothing. A descriptor is taken when one of its positions is taken and none is left out.

    Args:
        take (`tuple[str, ...]`, *optional*): Branches to take, e.g. ``("D02", "D12.125")``; `()` takes all that is not
            left out.
        leave (`tuple[str, ...]`, *optional*): Branches to leave out.
        unplaced (`bool`, *optional*, defaults to `True`): Whether to take concepts that stand in no tree, such as
            supplementary records and descriptors newer than the tree numbers.
        unplaced_endings (`tuple[str, ...]`, *optional*): Endings of preferred names of one word that are taken all
            the same (the stems of drug names, such as ``"taxel"``).

    Example:
        >>> branches = Branches(take=("D09", "D12.125"), leave=("D12",))
        >>> [branches.holds(p) for p in (["D09.698"], ["D09.698", "D12.776"], ["D12.125.067"], ["C04"])]
        [True, False, True, False]
    """

    take: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()
    unplaced: bool = True
    unplaced_endings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("take", "leave", "unplaced_endings"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def holds(self, positions: Sequence[str], name: str = "") -> bool:
        """Return whether a concept with these tree numbers and this preferred name is taken."""
        if not positions:
            return self.unplaced or (name.isalpha() and name.lower().endswith(self.unplaced_endings))
        decisions = {self._decide(position) for position in positions}
        return False not in decisions and (True in decisions or not self.take)

    def select(
        self, concepts: Iterable[ConceptNames], positions: Mapping[ConceptRef, Sequence[str]]
    ) -> Iterator[ConceptNames]:
        """Yield the concepts of a vocabulary that are taken; `positions` are those of :func:`read_tree_numbers`."""
        for concept in concepts:
            if self.holds(positions.get(concept.concept, ()), concept.names[0]):
                yield concept

    def _decide(self, position: str) -> bool | None:
        # From the position itself up to its tree: D12.125.067, D12.125, D12, D.
        branch = position
        while branch:
            if branch in self.take:
                return True
            if branch in self.leave:
                return False
            branch = branch.rpartition(".")[0] or branch[:1] * (len(branch) > 1)
        return None


def _rows(path: Path, owner: str) -> Iterator[tuple[int, str]]:
    empty = True
    for number, line in read_table_lines(path, owner):
        if line.strip():
            empty = False
            yield number, line
    if empty:
        raise CorpusError(f"{path}: the file holds no line; fetch it again")


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(plain for name in names if (plain := unescape(name).strip())))
