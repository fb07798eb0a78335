"""The configuration of a weak corpus: a YAML file of values, in which unknown keys are errors.

``recipes/zhou2021/weak.yaml`` is a worked example. Relative paths are below the folder that ``$BIONERKD_CORPORA``
names (or `root`), absolute ones stay.
"""

from __future__ import annotations

import difflib
import os
import types
import typing
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from hf_bionerkd.knowledge.lexicon import LexiconRules
from hf_bionerkd.knowledge.vocabularies import Branches
from hf_bionerkd.yaml_files import YamlError, read_yaml, shown

CORPORA_VARIABLE = "BIONERKD_CORPORA"


class WeakConfigError(ValueError):
    """A configuration with an unknown, missing or unfit key, or a missing file."""


@dataclass(frozen=True)
class AbstractSource:
    """A file of abstracts.

    Args:
        file (`str`): Its path.
        format (`str`): `"articles"` (JSON lines), `"pubmed"` (XML), `"pubtator"` or `"bioc"`.
        given (`bool`, *optional*): Whether its mentions are the weak labels; by default they are where the format has
            mentions.
        types (`tuple[str, ...]`, *optional*): The types that its annotator looks for, if not all of the corpus': the
            others are labelled as in an abstract without mentions. Of two files with the same abstracts the first
            counts, so join the files of two annotators before.
    """

    file: str
    format: Literal["articles", "pubmed", "pubtator", "bioc"]
    given: bool | None = None
    types: tuple[str, ...] = ()

    @property
    def has_passages(self) -> bool:
        """Return whether several documents of the file may be passages of one article, under its PMID."""
        return self.format in ("pubtator", "bioc")

    @property
    def has_labels(self) -> bool:
        """Return whether an annotator's mentions come with the abstracts."""
        return self.has_passages if self.given is None else self.given


@dataclass(frozen=True)
class BulkSource:
    """A file of PubTator's bulk rows.

    Args:
        file (`str`): Its path.
        type (`str`, *optional*): The type of its rows, if neither they nor the file's name tell it.
    """

    file: str
    type: str | None = None


@dataclass(frozen=True)
class VocabularySource:
    """A vocabulary whose names the dictionary takes in.

    Args:
        file (`str`): Its path.
        format (`str`): `"medic"`, `"ctd_diseases"`, `"ctd_chemicals"`, `"mesh"` (table), `"mesh_xml"` or `"terms"`.
        type (`str`): Entity type of its concepts.
        name (`str`): Its name in the provenance of a mention.
        branches (`Branches`, *optional*): Which of its concepts to take, by MeSH's trees.
        acronyms (`bool`, *optional*, defaults to `True`): Whether to take in its acronyms.
    """

    file: str
    format: Literal["medic", "ctd_diseases", "ctd_chemicals", "mesh", "mesh_xml", "terms"]
    type: str
    name: str
    branches: Branches | None = None
    acronyms: bool = True


@dataclass(frozen=True)
class LexiconConfig:
    """The dictionary for abstracts that PubTator has not labelled.

    Args:
        vocabularies (`tuple[VocabularySource, ...]`): Where names come from; the first that has a name counts as its
            source.
        order (`tuple[str, ...]`, *optional*): All types; a name of two types belongs to the one that comes first. By
            default the corpus' order.
        rules (`LexiconRules`, *optional*): Which names to take in.
        names (`dict[str, dict[str, tuple[str, ...]]]`, *optional*): More names, by type and concept ID.
        tree_numbers (`str`, *optional*): MeSH's tree numbers, which `branches` need.
        abbreviations (`bool`, *optional*, defaults to `True`): Whether abbreviations that an abstract defines mean
            what their long forms mean.
    """

    vocabularies: tuple[VocabularySource, ...]
    order: tuple[str, ...] = ()
    rules: LexiconRules = field(default_factory=LexiconRules)
    names: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    tree_numbers: str | None = None
    abbreviations: bool = True


@dataclass(frozen=True)
class AssociationSource:
    """A file that says which concepts articles are about.

    Args:
        file (`str`): Its path.
        format (`str`): `"ctd"`, `"rgd"`, `"pubmed"` (identifiers of headings) or `"articles"` (names of headings).
        columns (`tuple[str, ...]`, *optional*): CTD's columns of concepts.
        inferred (`bool`, *optional*, defaults to `False`): Whether to take CTD's inferred rows.
    """

    file: str
    format: Literal["ctd", "rgd", "pubmed", "articles"]
    columns: tuple[str, ...] = ("ChemicalID", "DiseaseID")
    inferred: bool = False


@dataclass(frozen=True)
class GoldSource:
    """A gold standard that must not be trained on.

    Args:
        file (`str`): Its path.
        format (`str`): `"pubtator"` or `"bioc"` (documents whose ids are PMIDs), or `"conll"` (sentences).
        name (`str`): Its name in the record of a document that is left out.
        pmids (`bool`, *optional*, defaults to `True`): Whether the ids of its documents are PMIDs.
    """

    file: str
    format: Literal["pubtator", "bioc", "conll"]
    name: str
    pmids: bool = True


@dataclass(frozen=True)
class WeakConfig:
    """A weak corpus.

    Args:
        types (`tuple[str, ...]`): Entity types in label order.
        abstracts (`tuple[AbstractSource, ...]`): Abstracts, in order; of two with one PMID or one text, the first
            counts.
        leave_out (`tuple[GoldSource, ...]`): Gold standards whose documents are left out. May be empty, but must be
            stated.
        associations (`tuple[AssociationSource, ...]`, *optional*): What curators say of articles.
        bulk_annotations (`tuple[BulkSource, ...]`, *optional*): PubTator's rows for abstracts without mentions.
        lexicon (`LexiconConfig`, *optional*): The dictionary for the others.
        descriptors (`str`, *optional*): Table of MeSH descriptors, for headings that are known by name.
        alternatives (`str`, *optional*): MEDIC, or CTD_diseases where the file is called so, for alternative
            identifiers.
        require_association (`bool`, *optional*, defaults to `True`): Whether to leave out abstracts with no
            association at all. If it is off, every abstract enters; those without association have no mention in the
            accuracy view, so that only the coverage view is of use.
        limit (`int`, *optional*): The number of abstracts of the corpus, not counting those that are left out.
        min_gold_sentence (`int`, *optional*, defaults to 50): Letters and digits of the shortest gold sentence that
            makes a document a gold one.
        memory_mb (`int`, *optional*, defaults to 512): The memory that the joins may use, in MB; beyond that they work
            on disk.
        cache (`str`, *optional*): Folder to keep the dictionary, the gold standards and the joined tables in, relative
            to the working folder; by default they are made anew each time. What is kept is made anew when its sources,
            its settings or this package's code have changed, and when it is damaged.
        root (`str`, *optional*): Folder that relative paths are below, in place of ``$BIONERKD_CORPORA``.
    """

    types: tuple[str, ...]
    abstracts: tuple[AbstractSource, ...]
    leave_out: tuple[GoldSource, ...]
    associations: tuple[AssociationSource, ...] = ()
    bulk_annotations: tuple[BulkSource, ...] = ()
    lexicon: LexiconConfig | None = None
    descriptors: str | None = None
    alternatives: str | None = None
    require_association: bool = True
    limit: int | None = None
    min_gold_sentence: int = 50
    memory_mb: int = 512
    cache: str | None = None
    root: str | None = None

    def __post_init__(self) -> None:
        if not self.types or len(set(self.types)) != len(self.types):
            raise WeakConfigError(f"key 'types': expected distinct entity types, found {list(self.types)}")
        if not self.abstracts:
            raise WeakConfigError("key 'abstracts': a corpus needs at least one file of abstracts")
        if self.require_association and not self.associations:
            raise WeakConfigError(
                "key 'associations': there are none, so that every abstract would be left out; name files of CTD, "
                "MeSH or RGD, or say 'require_association: false' (coverage alone)"
            )
        if self.limit is not None and self.limit < 1:
            raise WeakConfigError(f"key 'limit': expected at least 1, found {self.limit}")
        # A type that the corpus does not have is a misspelling: such mentions would silently be left out.
        for source in self.abstracts:
            if set(source.types) - set(self.types):
                raise WeakConfigError(
                    f"key 'abstracts': the types {list(source.types)} of {source.file!r} are not all among the "
                    f"corpus' {list(self.types)}"
                )
        # The rest is about the dictionary.
        if self.lexicon is None:
            return
        for vocabulary in self.lexicon.vocabularies:
            if vocabulary.branches is not None and self.lexicon.tree_numbers is None:
                raise WeakConfigError(
                    f"key 'lexicon.tree_numbers': the branches of vocabulary {vocabulary.name!r} need MeSH's "
                    "tree numbers"
                )
        unknown = {*self.lexicon.names, *self.lexicon.order, *(s.type for s in self.lexicon.vocabularies)}
        if unknown - set(self.types):
            raise WeakConfigError(
                f"key 'lexicon': the types {sorted(unknown - set(self.types))} are not among the corpus' "
                f"{list(self.types)}"
            )

    def path(self, file: str) -> Path:
        """Return the path of a file of the configuration.

        Raises:
            WeakConfigError: It is missing, or the path is relative and no folder is known.
        """
        path = Path(file)
        if not path.is_absolute():
            root = self.root or os.environ.get(CORPORA_VARIABLE)
            if not root:
                raise WeakConfigError(
                    f"{file!r} is a relative path: set {CORPORA_VARIABLE} to the folder that it is below, or give "
                    "'root' in the configuration"
                )
            path = Path(root) / file
        if not path.is_file():
            raise WeakConfigError(f"there is no file {path}; correct {file!r} in the configuration, or fetch it")
        return path

    def files(self) -> list[str]:
        """Return every file that the corpus is made of, once, as the configuration names it."""
        named: list[str | None] = [self.descriptors, self.alternatives]
        for sources in (self.leave_out, self.bulk_annotations, self.associations, self.abstracts):
            named = [*(source.file for source in sources), *named]
        if self.lexicon is not None:
            named += [*(source.file for source in self.lexicon.vocabularies), self.lexicon.tree_numbers]
        return list(dict.fromkeys(file for file in named if file))


def load_weak_config(path: str | os.PathLike[str], **overrides: Any) -> WeakConfig:
    """Read the configuration of a weak corpus.

    Args:
        path (`str` or `PathLike`): The YAML file.
        **overrides: Values of top-level keys that replace those of the file.

    Raises:
        WeakConfigError: A key is unknown, missing or of another kind than expected. The message names the file and
            the key.

    Example:
        >>> load_weak_config("recipes/zhou2021/weak.yaml", limit=3000)  # doctest: +SKIP
    """
    try:
        values = read_yaml(path)
    except FileNotFoundError:
        raise WeakConfigError(
            f"no configuration file {path}; a worked example is recipes/zhou2021/weak.yaml"
        ) from None
    except YamlError as error:
        raise WeakConfigError(str(error)) from None
    if not isinstance(values, dict):
        raise WeakConfigError(f"{path}: expected keys and values such as 'types: […]', found {type(values).__name__}")
    try:
        config = _read(WeakConfig, {**values, **overrides}, "")
    except WeakConfigError as error:
        raise WeakConfigError(f"{path}: {error}") from None
    assert isinstance(config, WeakConfig)  # for the type checker
    return config


def _read(expected: Any, value: Any, key: str) -> Any:
    """Return a value of YAML as the expected type; `key` names it in errors."""
    if is_dataclass(expected):
        return _read_dataclass(typing.cast(type, expected), value, key)
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    # The only unions here are optional values.
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _read(next(a for a in arguments if a is not type(None)), value, key)
    if origin is tuple and isinstance(value, (list, tuple)):
        return tuple(_read(arguments[0], item, f"{key}[{index}]") for index, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        return {
            str(name): _read(arguments[1], item, f"{key}.{' '.join(str(name).split())[:60]}")
            for name, item in value.items()
        }
    if origin is Literal:
        if value in arguments:
            return value
        raise WeakConfigError(f"key {key!r}: {shown(value)} is none of {', '.join(map(repr, arguments))}")
    # A `bool` is an `int` in Python, but not in a configuration.
    if isinstance(expected, type) and isinstance(value, expected) and isinstance(value, bool) == (expected is bool):
        return value
    # Nothing fits: say what was expected in words that a writer of YAML knows.
    expectation = {tuple: "a list", dict: "keys and values"}.get(origin, getattr(expected, "__name__", str(expected)))
    raise WeakConfigError(f"key {key!r}: expected {expectation}, found {shown(value)}")


def _read_dataclass(expected: type, value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise WeakConfigError(f"key {key!r}: expected keys and values, found {shown(value)}")
    # Unknown keys first: a misspelt key is the likeliest reason for a missing one.
    hints, known = typing.get_type_hints(expected), {entry.name: entry for entry in fields(expected)}
    prefix = f"{key}." if key else ""
    for name in value:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
            one_line = " ".join(str(name).split())[:60]
            raise WeakConfigError(
                f"unknown key '{prefix}{one_line}'; the nearest known one is {near!r}, of {sorted(known)}"
            )
    for name, entry in known.items():
        if name not in value and entry.default is MISSING and entry.default_factory is MISSING:
            raise WeakConfigError(f"key '{prefix}{name}' is missing")
    try:
        return expected(**{name: _read(hints[name], item, f"{prefix}{name}") for name, item in value.items()})
    except WeakConfigError:
        raise
    except ValueError as error:  # a rule that a dataclass of another module has for its values
        raise WeakConfigError(f"key {key!r}: {error}") from None
