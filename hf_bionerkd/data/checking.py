"""One pass over a corpus when it is loaded: every row is checked, and brought into the form that the package reads.

That form: `tokens`, lists of words as running text is cut (:mod:`hf_bionerkd.data.resplitting`), and `ner_tags`, class
labels of BIO over the corpus's types, the same in every split; -100 for words that nobody has labelled.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset, Features, List, Value, concatenate_datasets

from hf_bionerkd.data.features import MASKED
from hf_bionerkd.data.resplitting import WordSplitter
from hf_bionerkd.data.tag_names import TagColumn, tag_column
from hf_bionerkd.labels import LabelSpace

logger = logging.getLogger(__name__)

TOKENS, TAGS = "tokens", "ner_tags"
_OWN = (TOKENS, TAGS)  # columns that every corpus has
_BATCH = 1000
_OF_TEXT = ("mentions", "token_starts")  # lists that hold however the words are cut, where the row has its text


@dataclass(frozen=True)
class TagOptions:
    """What the user says of columns and tags, where the files do not say it themselves.

    Args:
        columns (`Mapping[str, str]`, *optional*): `tokens` and `ner_tags`, to the corpus's own names of them.
        labels (`Sequence[str]`, *optional*): Names of numbered tags, in the order of the numbers.
        type (`str`, *optional*): Type of tags that name none (``B``, ``I``, ``O``).
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Sequence[str] = ()
    type: str | None = None


def checked_splits(
    splits: Mapping[str, Sequence[Dataset]], where: str, options: TagOptions
) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """Check every row, and bring tags and words into one form.

    Args:
        splits (`Mapping[str, Sequence[Dataset]]`): Split name to its parts, each with a schema of its own.
        where (`str`): The corpus in messages, such as ``"corpus 'JNLPBA' at data/jnlpba"``.
        options (`TagOptions`): What the user says of columns and tags.

    Returns:
        The splits, and the types that the corpus annotates.

    Raises:
        LabelError: The tags follow no scheme.
        ValueError: A column is missing; a split is empty; a row has no words, a word that is null, other numbers of
            words and tags, or a tag that there is none of. The message names split and row.
    """
    # What the tags are called, part by part: files of one corpus may number the same labels in another order.
    renamed = {
        split: [_with_own_names(part, f"{where}, split {split!r}", options.columns) for part in parts]
        for split, parts in splits.items()
    }
    columns = {
        split: [_tag_column(part, f"{where}, split {split!r}", options) for part in parts]
        for split, parts in renamed.items()
    }
    types = tuple(dict.fromkeys(kind for parts in columns.values() for column in parts for kind in column.types))
    if all(column.texts for parts in columns.values() for column in parts) and not options.labels:
        types = tuple(sorted(types))  # whatever split shows which type first
    if not types:
        raise ValueError(f"{where}: no word has a tag other than O, so that there is nothing to learn or to score")
    counts: Counter[str] = Counter()
    checked = {}
    for split, parts in renamed.items():
        passes = [
            _Pass(part, column, types, f"{where}, split {split!r}")
            for part, column in zip(parts, columns[split], strict=True)
        ]
        results = [each() for each in passes]
        for each in passes:
            counts.update(each.counts)
        checked[split] = results[0] if len(results) == 1 else concatenate_datasets(_alike(results))
    _tell(counts, where)
    return checked, types


class _Pass:
    """The pass over one part of a split.

    Args:
        rows (`Dataset`): The part.
        column (`TagColumn`): Its tags.
        types (`Sequence[str]`): The types of the whole corpus.
        where (`str`): Corpus and split, for messages.
    """

    def __init__(self, rows: Dataset, column: TagColumn, types: Sequence[str], where: str) -> None:
        self.rows, self.column, self.types, self.where = rows, column, tuple(types), where
        self.splitter = WordSplitter(LabelSpace(self.types))
        self.tag_feature = List(ClassLabel(names=list(self.splitter.space.labels)))
        self.has_starts = {"text", "token_starts"} <= set(rows.column_names)
        self.counts: Counter[str] = Counter()

    def __call__(self) -> Dataset:
        """Check all rows; return them as they are where nothing has to change."""
        if not len(self.rows):
            raise ValueError(f"{self.where} is empty; leave it out with `splits:`, or look at its file")
        changes, cuts, first = False, False, 0
        needed = [*_OWN, *(("token_starts",) if self.has_starts else ())]
        for table in _tables(self.rows.select_columns(needed)):
            lengths, labels = self._checked(table, first)
            changes = changes or not self._are_same(table, labels)
            cuts = cuts or bool(self._rows_to_cut(table, lengths).any())
            first += len(table)
        if not (changes or cuts or self.rows.features[TAGS] != self.tag_feature):
            return self.rows
        return self._rewritten(cuts)

    def _checked(self, table: pa.Table, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Check some rows; return the number of words of each, and the label ids of all words."""
        words, tags = table[TOKENS], table[TAGS]
        lengths = [pc.list_value_length(column).to_numpy(zero_copy_only=False) for column in (words, tags)]
        for name, values in zip(_OWN, lengths, strict=True):
            self._refuse(np.isnan(values.astype(float)), first, f"has no {name} (null)")
        differ = lengths[0] != lengths[1]
        if differ.any():
            row = int(differ.argmax())
            self._refuse(differ, first, f"has {lengths[0][row]} words and {lengths[1][row]} tags")
        if self.has_starts:
            starts = pc.fill_null(pc.list_value_length(table["token_starts"]), -1).to_numpy(zero_copy_only=False)
            self._refuse(starts != lengths[0], first, "has another number of token_starts than of words")
        # Words: none may be null.
        flat_words, flat_tags = (_flat(column) for column in (words, tags))
        row_of = np.repeat(np.arange(len(table)), lengths[0])
        if flat_words.null_count:
            self._refuse_word(flat_words.is_null().to_numpy(zero_copy_only=False), row_of, first, "is null")
        # Tags: each distinct value is looked at once.
        encoded = flat_tags.dictionary_encode(null_encoding="encode")
        distinct = encoded.dictionary.to_pylist()
        index = encoded.indices.to_numpy(zero_copy_only=False)
        for number, value in enumerate(distinct):
            problem = self.column.problem(value)
            if problem:
                self._refuse_word(index == number, row_of, first, problem)
        names = self.column.names
        numbers = [names.index(value) if self.column.texts else MASKED if value < 0 else value for value in distinct]
        values = np.array(numbers, dtype=np.int64)[index] if len(index) else np.zeros(0, dtype=np.int64)
        starts = np.concatenate([[True], row_of[1:] != row_of[:-1]]) if len(row_of) else np.zeros(0, dtype=bool)
        labels = self.column.bio(values, starts, self.types) if len(values) else values
        return lengths[0].astype(np.int64), labels

    def _rows_to_cut(self, table: pa.Table, lengths: np.ndarray) -> np.ndarray:
        starts = _flat(table["token_starts"]) if self.has_starts else None
        return self.splitter.rows_to_cut(_flat(table[TOKENS]), lengths, starts)

    def _are_same(self, table: pa.Table, labels: np.ndarray) -> bool:
        if self.column.texts:
            return False
        return bool(np.array_equal(_flat(table[TAGS]).to_numpy(zero_copy_only=False), labels))

    def _rewritten(self, cuts: bool) -> Dataset:
        """Return the rows with other tags and, with `cuts`, other words."""
        rows, where = self.rows, self.where
        lists = [name for name in rows.column_names if not isinstance(rows.features[name], Value)]
        dropped = [name for name in lists if cuts and name not in (*_OWN, *(_OF_TEXT if self.has_starts else ()))]
        features = {name: kind for name, kind in rows.features.items() if name not in dropped}
        features |= {TOKENS: List(Value("string")), TAGS: self.tag_feature}
        if cuts:
            features |= {"text": Value("string"), "token_starts": List(Value("int32"))}

        def rewrite(table: pa.Table, indices: list[int]) -> pa.Table:
            lengths, labels = self._checked(table, indices[0] if indices else 0)
            new = {name: table[name] for name in features if name in table.column_names}
            ends = np.cumsum(lengths)
            tags = [part.tolist() for part in np.split(labels, ends[:-1])]
            if cuts:
                new |= self._cut(table, lengths, tags, indices)
            else:
                new[TAGS] = pa.array(tags, pa.list_(pa.int64()))
            return pa.table({name: new[name] for name in features})

        self.splitter.counts.clear()
        key = f"{rows._fingerprint} {self.column} {self.types} {cuts} v1"
        rewritten = rows.with_format("arrow").map(
            rewrite,
            batched=True,
            batch_size=_BATCH,
            with_indices=True,
            remove_columns=rows.column_names,
            features=Features(features),
            new_fingerprint=hashlib.sha256(key.encode()).hexdigest()[:16],
            load_from_cache_file=False,  # what was cut is counted while it is cut
            desc=f"words and tags of {where}",
        )
        self.counts = self.splitter.counts
        result: Dataset = rewritten.with_format(None)
        return result

    def _cut(
        self, table: pa.Table, lengths: np.ndarray, tags: list[list[int]], indices: Sequence[int]
    ) -> dict[str, pa.Array]:
        """Return the columns of words and tags of some rows, cut."""
        tokens = table[TOKENS].to_pylist()
        texts = table["text"].to_pylist() if self.has_starts else [None] * len(tokens)
        starts = table["token_starts"].to_pylist() if self.has_starts else [None] * len(tokens)
        to_cut = self._rows_to_cut(table, lengths)
        columns: dict[str, list] = {name: [] for name in ("text", "token_starts", TOKENS, TAGS)}
        for row, own_tags in enumerate(tags):
            if self.has_starts and not to_cut[row]:
                self.splitter.counts["words"] += len(tokens[row])
                words = (texts[row], starts[row], tokens[row], own_tags)
            else:
                try:
                    words = self.splitter.cut(tokens[row], own_tags, texts[row], starts[row])
                except ValueError as error:
                    raise ValueError(f"{self.where}, row {indices[row]}: {error}") from None
            for name, values in zip(columns, words, strict=True):
                columns[name].append(values)
        kinds = (pa.string(), pa.list_(pa.int32()), pa.list_(pa.string()), pa.list_(pa.int64()))
        return {name: pa.array(columns[name], kind) for name, kind in zip(columns, kinds, strict=True)}

    def _refuse(self, wrong: np.ndarray, first: int, problem: str) -> None:
        """Refuse the first row that is wrong, if there is one."""
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"{self.where}, row {first + row} {problem}")

    def _refuse_word(self, wrong: np.ndarray, row_of: np.ndarray, first: int, problem: str) -> None:
        """Refuse the first word that is wrong."""
        position = int(wrong.argmax())
        row = int(row_of[position])
        word = position - int(np.searchsorted(row_of, row))
        raise ValueError(f"{self.where}, row {first + row}: word {word} {problem}")


def _tables(rows: Dataset) -> Iterator[pa.Table]:
    return iter(rows.with_format("arrow").iter(batch_size=_BATCH))


def _flat(column: pa.ChunkedArray) -> pa.Array:
    """Return the values of a column of lists, end to end, as one array."""
    flat = pc.list_flatten(column)
    flat = flat.combine_chunks() if isinstance(flat, pa.ChunkedArray) else flat
    return flat.cast(pa.string()) if pa.types.is_null(flat.type) or pa.types.is_large_string(flat.type) else flat


def _with_own_names(rows: Dataset, where: str, columns: Mapping[str, str]) -> Dataset:
    """Return the rows with their words in `tokens` and their tags in `ner_tags`.

    Raises:
        ValueError: There are no such columns; the message gives the line that names them.
    """
    unknown = sorted(set(columns) - set(_OWN))
    if unknown:
        raise ValueError(f"{where}: `columns` names {unknown}; it says which columns are {TOKENS} and {TAGS}")
    for own, theirs in columns.items():
        if theirs not in rows.column_names:
            raise ValueError(
                f"{where}: `columns` says that {own} are in {theirs!r}, but its columns are {rows.column_names}"
            )
    # A column that bears one of our names without being it makes way.
    for own, theirs in columns.items():
        if theirs != own:
            rows = rows.remove_columns(own) if own in rows.column_names else rows
            rows = rows.rename_column(theirs, own)
    missing = [own for own in _OWN if own not in rows.column_names]
    if missing:
        raise ValueError(
            f"{where}: has no column {' and no column '.join(map(repr, missing))}; its columns are "
            f"{rows.column_names}. {_suggestion(rows.features)}"
        )
    for own, what in zip(_OWN, ("words", "tags"), strict=True):
        if not hasattr(rows.features[own], "feature"):
            raise ValueError(
                f"{where}: column {columns.get(own, own)!r} holds {_kind(rows.features[own])}, but a row has a list "
                f"of {what}. {_suggestion(rows.features)}"
            )
    words = rows.features[TOKENS].feature
    if getattr(words, "dtype", None) not in ("string", "large_string", "null"):
        raise ValueError(
            f"{where}: column {columns.get(TOKENS, TOKENS)!r} holds lists of {_kind(words)}, not of words"
        )
    return rows


def _suggestion(features: Features) -> str:
    """Return the line that names the columns of words and of tags, as far as they can be told."""
    lists = {name: kind.feature for name, kind in features.items() if hasattr(kind, "feature")}
    texts = [name for name, kind in lists.items() if getattr(kind, "dtype", "") in ("string", "large_string")]
    by_name = [name for name in lists if any(part in name.lower() for part in ("tag", "label", "ner", "bio"))]
    numbers = [name for name, kind in lists.items() if name not in texts and hasattr(kind, "dtype")]
    tags = next(iter([*by_name, *numbers]), None)
    words = next((name for name in texts if name != tags), None)
    if words is None or tags is None:
        return "Give it lists of words and of tags, or a path in CoNLL, PubTator, BioC or brat."
    return f"Say which hold the words and the tags: `columns: {{{TOKENS}: {words}, {TAGS}: {tags}}}`"


def _kind(feature: object) -> str:
    return f"{getattr(feature, 'dtype', type(feature).__name__)}"


def _tag_column(rows: Dataset, where: str, options: TagOptions) -> TagColumn:
    """Find out what the tags of one part are called."""
    distinct: set[str] = set()
    if getattr(rows.features[TAGS].feature, "dtype", "") in ("string", "large_string") and not options.labels:
        for table in _tables(rows.select_columns([TAGS])):
            distinct |= {value for value in pc.unique(_flat(table[TAGS])).to_pylist() if value is not None}
    return tag_column(rows.features, TAGS, distinct, options.labels, options.type, where)


def _alike(parts: Sequence[Dataset]) -> list[Dataset]:
    """Return parts with the columns that all of them have."""
    shared = [name for name in parts[0].column_names if all(name in part.column_names for part in parts)]
    return [part.select_columns(shared) for part in parts]


def _tell(counts: Mapping[str, int], where: str) -> None:
    """Say in one line what was cut."""
    if not counts.get("words_cut") and not counts.get("words_joined") and not counts.get("words_without_text"):
        return
    cut, total = counts["words_cut"], counts["words"]
    parts = [f"{cut:,} of {total:,} words are cut at punctuation, as published tokenizers cut text"]
    for key, words in (
        ("words_joined", "words of running text put together of several"),
        ("words_without_text", "words of white space left out"),
        ("mentions_widened", "mentions widened to whole words"),
        ("mentions_lost", "mentions lost"),
    ):
        if counts.get(key):
            parts.append(f"{counts[key]:,} {words}")
    logger.warning(f"{where}: {'; '.join(parts)}")
