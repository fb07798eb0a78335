"""The corpora of a run as one dataset in one label space (the D_S of Moscato et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset, List, Value, concatenate_datasets

from hf_bionerkd.data.corpus import Corpus
from hf_bionerkd.data.features import MASKED, decode_tags
from hf_bionerkd.labels import LabelError, LabelSpace

_JOINED = {
    "id": Value("string"),
    "tokens": List(Value("string")),
    "labels": List(Value("int32")),
    "corpus": Value("int32"),
}


def join_corpora(corpora: Sequence[Corpus], split: str, space: LabelSpace) -> Dataset:
    """Return one dataset of every corpus's `split`, in order, labelled in the run's label space.

    Columns: `id`, `tokens`, `labels` (ids of `space`; gold ``O`` means "none of the types that this corpus
    annotates"; -100 for words without a label), `corpus` (index into `corpora`). A corpus without that split is
    skipped.

    Raises:
        ValueError: No corpus has that split.
        LabelError: A corpus annotates a type that `space` does not hold.
    """
    parts = []
    for index, corpus in enumerate(corpora):
        if split not in corpus.splits:
            continue
        dataset = corpus.splits[split]
        relabel = _Relabel(corpus, dataset.features["ner_tags"].feature.names, space)

        # The defaults bind this corpus's values; the loop would change them under a closure.
        def convert(
            batch: dict[str, list[list[int]]], relabel: _Relabel = relabel, index: int = index
        ) -> dict[str, list[list[int]] | list[int]]:
            return {
                "labels": [relabel(tags) for tags in batch["ner_tags"]],
                "corpus": [index] * len(batch["ner_tags"]),
            }

        keep = ["id", "tokens"] if "id" in dataset.column_names else ["tokens"]
        part = dataset.map(
            convert,
            batched=True,
            remove_columns=[column for column in dataset.column_names if column not in keep],
            desc=f"labels of {corpus.name} {split}",
        )
        # All parts need the same columns and number types to be concatenated.
        if "id" not in part.column_names:
            part = part.add_column("id", [f"{corpus.name}-{split}-{row}" for row in range(len(part))])
        part = part.select_columns(list(_JOINED))
        for column, kind in _JOINED.items():
            part = part if part.features[column] == kind else part.cast_column(column, kind)
        parts.append(part)
    if not parts:
        raise ValueError(f"none of the corpora {[corpus.name for corpus in corpora]} has a split {split!r}")
    return concatenate_datasets(parts)


class _Relabel:
    """A translator of a corpus's own tags, of any scheme, to label ids of the run; types left out become ``O``."""

    def __init__(self, corpus: Corpus, names: Sequence[str], space: LabelSpace) -> None:
        # The corpus's labels may stand in any order; decoding needs them in that of a label space.
        self.own, order = LabelSpace.from_labels(names)
        self.to_own = [order.index(tag) for tag in range(len(names))]
        self.renamed = dict(corpus.renamed)
        self.space = space
        missing = [kind for kind in corpus.types if kind not in space.types]
        if missing:
            raise LabelError(
                f"corpus {corpus.name!r} annotates {missing}, which are not among the types {list(space.types)}"
            )

    def __call__(self, tags: Sequence[int]) -> list[int]:
        # By way of spans, so that any tag scheme becomes the run's. Two types that are merged leave neighbours apart.
        spans = decode_tags(self.own, [MASKED if tag == MASKED else self.to_own[tag] for tag in tags])
        chosen = [(start, end, self.renamed[kind]) for start, end, kind in spans if kind in self.renamed]
        labels = self.space.encode(chosen, len(tags))
        return [MASKED if tag == MASKED else label for tag, label in zip(tags, labels, strict=True)]
