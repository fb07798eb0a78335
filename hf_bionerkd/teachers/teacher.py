"""A teacher: a published token classifier, read as one BIO distribution a word in the student's names of its types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.remote_code import explaining_refusals
from hf_bionerkd.hub.snapshots import MODEL_FILES, model_folder
from hf_bionerkd.inference.word_tagger import FLOOR, WordOutputs, WordTagger
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import TeacherTypes

_TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "*.model")


@dataclass(frozen=True)
class TeacherSpec:
    """Which model teaches what.

    Args:
        name (`str`): How the run calls it.
        path (`str`): Local folder of a token classifier in safetensors, or ``org/name`` or ``org/name@revision`` on
            the Hub.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, when `path` does not say.
        types (`Mapping[str, str]`, *optional*): The teacher's type to the student's type. Types left out are read as
            ``O``. By default every type under its own name.
        weight (`float`, *optional*, defaults to 1.0): Its share where several teachers cover one type and are
            combined by weights.
        max_length (`int`, *optional*): Longest input in pieces; by default what the model allows, at most 512.
        overlap (`int`, *optional*): Pieces that neighbouring windows share.
        batch_size (`int`, *optional*, defaults to 32): Windows a forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository brings.
    """

    name: str
    path: str
    revision: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    max_length: int | None = None
    overlap: int | None = None
    batch_size: int = 32
    trust_remote_code: bool = False

    @classmethod
    def named(cls, text: str, **settings: Any) -> TeacherSpec:
        """The model that a command line names: ``name=path``, or a path that is its own name.

        Example:
            >>> TeacherSpec.named("T_c=runs/cdrc").name, TeacherSpec.named("org/model").name
            ('T_c', 'org/model')
        """
        name, equals, path = text.partition("=")
        return cls(name, path, **settings) if equals else cls(text, text, **settings)


class Teacher:
    """A teacher whose weights are loaded when its first sentence comes, so that a filled cache never loads them.

    One of the Hub is fetched at once, whole and at one commit.

    Args:
        spec (`TeacherSpec`): Which model teaches what.
        student_types (`Sequence[str]`, *optional*): The student's types, to check against; without them any type is
            taken.

    Raises:
        FileNotFoundError: Neither a local folder nor a Hub id, or there are no weights in safetensors, or
            no tokenizer.
        HubError: The Hub has no such model, gives no access or cannot be reached; or, offline, nor has the cache.
        RemoteCodeError: It needs code of its own, and `trust_remote_code` is off.
        LabelError: The labels follow no tag scheme, a mapped type is not among them, or none fits the student.
    """

    def __init__(self, spec: TeacherSpec, student_types: Sequence[str] | None = None) -> None:
        from transformers import AutoConfig

        self.spec = spec
        try:
            self.folder, self.commit = model_folder(spec.path, spec.revision)
        except HubError as error:
            raise HubError(f"teacher {spec.name!r}: {error}", temporary=error.temporary) from error
        # transformers 5 makes a tokenizer up where there is none, and that reads every word as unknown.
        if not any(path for pattern in _TOKENIZER_FILES for path in Path(self.folder).glob(pattern)):
            raise FileNotFoundError(
                f"teacher {spec.name!r} at {spec.path}: there is no tokenizer beside the model (none of "
                f"{', '.join(_TOKENIZER_FILES)}); save the tokenizer it was trained with into its folder"
            )
        config = self._load(AutoConfig)
        # What `log_probs` are: of a softmax, or a CRF's marginals, beside which it has emissions.
        self.kind = "marginal" if getattr(config, "output_layer", "softmax") == "crf" else "softmax"
        labels = [config.id2label[index] for index in range(config.num_labels)]
        try:
            self.own_space, self.order = LabelSpace.from_labels(labels)
        except LabelError as error:
            raise LabelError(f"teacher {spec.name!r} at {spec.path}: {error}") from None
        mapping = dict(spec.types) or {kind: kind for kind in self.own_space.types}
        unknown = sorted(set(mapping) - set(self.own_space.types))
        if unknown:
            raise LabelError(
                f"teacher {spec.name!r} at {spec.path}: `types` names {unknown}, but its labels hold the types "
                f"{list(self.own_space.types)}"
            )
        foreign = [] if student_types is None else sorted(set(mapping.values()) - set(student_types))
        if foreign:
            raise LabelError(
                f"teacher {spec.name!r} at {spec.path}: its types {foreign} are not among the student's types "
                f"{list(student_types)}. Map them in the teacher's `types:` (teacher's name: student's name); types "
                "left out there are read as O."
            )
        if len(set(mapping.values())) != len(mapping):
            raise LabelError(f"teacher {spec.name!r}: two of its types are mapped to one student type in {mapping}")
        self.mapping = {kind: mapping[kind] for kind in self.own_space.types if kind in mapping}

    @property
    def name(self) -> str:
        """How the run calls it."""
        return self.spec.name

    @property
    def space(self) -> LabelSpace:
        """Labels of what :meth:`log_probs` returns: BIO over the student's names of the types it covers."""
        return LabelSpace(tuple(self.mapping.values()))

    @property
    def covers(self) -> TeacherTypes:
        """What the aggregation needs to know of it."""
        return TeacherTypes(self.name, self.space.types, self.spec.weight)

    @cached_property
    def revision(self) -> str:
        """The hash of its files (weights, configuration, tokenizer), which changes when any of them does."""
        digest = hashlib.sha256()
        files = sorted({path for pattern in MODEL_FILES for path in Path(self.folder).glob(pattern)})
        for path in files:
            if path.name in ("metrics.json", "provenance.json", "trainer_state.json", "manifest.json"):
                continue
            digest.update(path.name.encode())
            with path.open("rb") as handle:
                while chunk := handle.read(1 << 22):
                    digest.update(chunk)
        return digest.hexdigest()[:16]

    def settings(self) -> dict[str, Any]:
        """Everything its outputs depend on beside the text: the cache's fingerprint."""
        return {
            "revision": self.revision,
            "types": dict(self.mapping),
            "max_length": self.spec.max_length,
            "overlap": self.spec.overlap,
        }

    @cached_property
    def tagger(self) -> WordTagger:
        """The loaded model, on the GPU where there is one."""
        import torch
        from transformers import AutoTokenizer

        from hf_bionerkd.models.auto import load_token_classifier

        model = load_token_classifier(str(self.folder), trust_remote_code=self.spec.trust_remote_code)
        model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False)
        return WordTagger(
            model,
            self._load(AutoTokenizer),
            self.order[-1],
            max_length=self.spec.max_length,
            overlap=self.spec.overlap,
            batch_size=self.spec.batch_size,
        )

    def _load(self, auto: Any) -> Any:
        """A part of the model, by one of the Auto classes of `transformers`; of models here, by their own."""
        from hf_bionerkd.models.registration import register

        register()
        trust = self.spec.trust_remote_code
        with explaining_refusals(self.folder, f"teacher {self.name!r} at {self.spec.path}", trust):
            return auto.from_pretrained(self.folder, trust_remote_code=trust)

    def log_probs(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """BIO log probabilities of every word, labels as in :attr:`space`; one (words, labels) array a sentence."""
        return [self.convert(values) for values in self.tagger.log_probs(sentences)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """The teacher's own decoding in BIO: ids into :attr:`space`, one array of shape (words,) a sentence."""
        return [found.tags for found in self.outputs(sentences)]

    def outputs(self, sentences: Sequence[Sequence[str]]) -> list[WordOutputs]:
        """Distributions, tags and emissions of every word, labels as in :attr:`space`."""
        return [
            WordOutputs(self.convert(own.log_probs), self.convert_tags(own.tags), self.convert(own.emissions))
            for own in self.tagger.outputs(sentences)
        ]

    def convert_tags(self, own: np.ndarray) -> np.ndarray:
        """Turn one sentence's label ids into BIO over the student's types.

        Tag by tag, so that what may not follow its neighbour still may not: S opens like B, E continues like I, and in
        IO a word opens a mention where the one before it is of no mention of that type. Types that the teacher is not
        asked for become ``O``.
        """
        outside = self.space.outside
        begin: dict[int, int] = {}
        inside: dict[int, int] = {}
        for kind, place in self.mapping.items():
            ids, target = self.own_space.ids_of(kind), self.space.ids_of(place)
            for prefix, label in ids.items():
                own_id = self.order[label]
                opens = prefix in "BS" or self.own_space.scheme == "IO"
                begin[own_id] = target["B"] if opens else target["I"]
                inside[own_id] = target["B"] if prefix in "BS" else target["I"]
        before = np.concatenate([[-1], own[:-1]]) if len(own) else own
        pairs = zip(own.tolist(), before.tolist(), strict=True)
        found = [(inside if tag == previous else begin).get(tag, outside) for tag, previous in pairs]
        return np.asarray(found, dtype=np.int64)

    def convert(self, own: np.ndarray) -> np.ndarray:
        """Turn one sentence's log probabilities from the teacher's labels into BIO over the student's types.

        IOBES: B = B + S, I = I + E. IO has no B: a word begins a mention of its type to the degree that the word
        before it is not inside one. Types that the teacher is not asked for are added to ``O``.

        Args:
            own (`np.ndarray`): (words, own labels), in the model's own label order.

        Returns:
            (words, len(space)) float32.
        """
        ordered = own[:, list(self.order)].astype(np.float64)
        columns: list[np.ndarray] = []
        rest = [ordered[:, -1]]
        for kind in self.own_space.types:
            ids = self.own_space.ids_of(kind)
            if self.own_space.scheme == "BIO":
                begin, inside = ordered[:, ids["B"]], ordered[:, ids["I"]]
            elif self.own_space.scheme == "IOBES":
                begin = np.logaddexp(ordered[:, ids["B"]], ordered[:, ids["S"]])
                inside = np.logaddexp(ordered[:, ids["I"]], ordered[:, ids["E"]])
            else:
                begin, inside = _split_io(ordered[:, ids["I"]])
            if kind in self.mapping:
                columns += [begin, inside]
            else:
                rest += [begin, inside]
        columns.append(np.logaddexp.reduce(np.stack(rest), axis=0))
        return np.maximum(np.stack(columns, axis=1), FLOOR).astype(np.float32)


def _split_io(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    previous = np.concatenate([[-np.inf], inside[:-1]])
    with np.errstate(divide="ignore"):
        not_previous = np.log1p(-np.exp(np.minimum(previous, 0.0)))
    return inside + not_previous, inside + previous
