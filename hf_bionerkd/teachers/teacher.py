"""A teacher: a published token classifier, read word by word in the student's names of its types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.digests import DIGESTS_FILE, DamagedFileError
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.remote_code import explaining_refusals
from hf_bionerkd.hub.snapshots import MODEL_FILES, model_folder
from hf_bionerkd.inference.finite import NonFiniteError
from hf_bionerkd.inference.outputs import SentenceSpans, TypeMapping, WordOutputs, output_layer_of
from hf_bionerkd.inference.plain_pipeline import plain_strategy
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelError, LabelSpace
from hf_bionerkd.teachers.aggregation import TeacherTypes

if TYPE_CHECKING:
    import numpy as np

_TOKENIZER_FILES = ("tokenizer.json", "vocab.*", "*.model")
_NOT_THE_MODEL = (DIGESTS_FILE, "metrics.json", "provenance.json", "trainer_state.json", "manifest.json")


class Teacher:
    """A teacher whose weights are loaded when its first sentence comes, so that a filled cache never loads them.

    One on the Hub is fetched at once, whole and at one commit.

    Args:
        path (`str`): Local folder of a token classifier in safetensors, or ``org/name`` or ``org/name@revision`` on
            the Hub.
        name (`str`, *optional*): How the run calls it; by default the last part of `path`.
        types (`Mapping[str, str]`, *optional*): The teacher's type to the student's type. Types left out are read as
            ``O``; the probabilities of types that share a name add up. By default every type under its own name.
        weight (`float`, *optional*, defaults to 1.0): Its share where several teachers cover one type and are
            combined by weights.
        revision (`str`, *optional*): Branch, tag or commit on the Hub, when `path` does not say.
        max_length (`int`, *optional*): Longest input in pieces; by default what the model allows, at most 512.
        overlap (`int`, *optional*): Pieces that neighbouring windows share.
        batch_size (`int`, *optional*, defaults to 32): Windows per forward pass.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository brings.
        student_types (`Sequence[str]`, *optional*): The student's types, to check against; without them any type is
            taken.

    Raises:
        FileNotFoundError: Neither a local folder nor a Hub id, or there are no weights in safetensors, or
            no tokenizer.
        DamagedFileError: One of its files is not what was written.
        HubError: The Hub has no such model, gives no access or cannot be reached; or, offline, nor has the cache.
        RemoteCodeError: It needs code of its own, and `trust_remote_code` is off.
        LabelError: The labels follow no tag scheme, a mapped type is not among them, or none fits the student.

    Example:
        ```python
        teacher = Teacher("org/genes", types={"GENE": "Gene"})
        teacher.spans([["TP53", "and", "asthma"]])[0].strict  # [(0, 1, 'Gene')]
        ```
    """

    def __init__(
        self,
        path: str,
        *,
        name: str | None = None,
        types: Mapping[str, str] | None = None,
        weight: float = 1.0,
        revision: str | None = None,
        max_length: int | None = None,
        overlap: int | None = None,
        batch_size: int = 32,
        trust_remote_code: bool = False,
        student_types: Sequence[str] | None = None,
    ) -> None:
        from transformers import AutoConfig

        self.path = path
        self.name = name or Path(path.partition("@")[0]).name
        self.weight = weight
        self.max_length = max_length
        self.overlap = overlap
        self.batch_size = batch_size
        self.trust_remote_code = trust_remote_code
        try:
            # Of the Hub whole and at one commit, so that weights, labels and tokenizer belong together.
            self.folder, self.commit = model_folder(path, revision)
        except HubError as error:
            raise HubError(f"teacher {self.name!r}: {error}", temporary=error.temporary) from error
        except DamagedFileError as error:
            raise DamagedFileError(f"teacher {self.name!r}: {error}") from None
        # transformers 5 makes a tokenizer up where there is none, and that reads every word as unknown.
        if not any(file for pattern in _TOKENIZER_FILES for file in Path(self.folder).glob(pattern)):
            raise FileNotFoundError(
                f"teacher {self.name!r} at {path}: there is no tokenizer beside the model (none of "
                f"{', '.join(_TOKENIZER_FILES)}); save the tokenizer it was trained with into its folder"
            )
        try:
            layer = output_layer_of(self._load(AutoConfig))
            self.mapping = TypeMapping(layer, types or {kind: kind for kind in layer.types})
        except LabelError as error:
            raise LabelError(f"teacher {self.name!r} at {path}: {error}") from None
        if student_types is not None:
            self._check_types(student_types)

    @classmethod
    def named(cls, text: str, **settings: Any) -> Teacher:
        """Open the model that a command line names: ``name=path``, or a path that is its own name."""
        name, equals, path = text.partition("=")
        return cls(path, name=name, **settings) if equals else cls(text, name=text, **settings)

    @property
    def kind(self) -> str:
        """What :meth:`log_probs` are: of a ``softmax``, or ``marginal`` of a CRF, beside which it has emissions."""
        return self.mapping.layer.kind

    @property
    def types(self) -> tuple[str, ...]:
        """The student's names of the types that it covers."""
        return self.space.types

    @property
    def space(self) -> LabelSpace:
        """Labels of what :meth:`log_probs` returns: BIO over the student's names of the types it covers."""
        return self.mapping.space

    @property
    def covers(self) -> TeacherTypes:
        """What the aggregation needs to know of it."""
        source = hashlib.sha256(json.dumps(self.settings(), sort_keys=True).encode()).hexdigest()
        return TeacherTypes(self.name, self.types, self.weight, source)

    @cached_property
    def revision(self) -> str:
        """The hash of its files (weights, configuration, tokenizer), which changes when any of them does."""
        # By content, so that a moved folder keeps its cache and a retrained model in the same folder loses it.
        digest = hashlib.sha256()
        for path in sorted({path for pattern in MODEL_FILES for path in Path(self.folder).glob(pattern)}):
            if path.name in _NOT_THE_MODEL:
                continue
            digest.update(path.name.encode())
            with path.open("rb") as handle:
                while chunk := handle.read(1 << 22):
                    digest.update(chunk)
        return digest.hexdigest()[:16]

    def settings(self) -> dict[str, object]:
        """Return everything its outputs depend on beside the text: the cache's fingerprint."""
        return {
            "revision": self.revision,
            "types": dict(self.mapping.types),
            "max_length": self.max_length,
            "overlap": self.overlap,
        }

    @cached_property
    def tagger(self) -> WordTagger:
        """The loaded model, on the GPU where there is one."""
        import torch
        from transformers import AutoTokenizer

        from hf_bionerkd.models.auto import load_token_classifier

        # Teachers are asked, never trained.
        model = load_token_classifier(str(self.folder), trust_remote_code=self.trust_remote_code)
        model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False)
        tokenizer = self._load(AutoTokenizer)
        return WordTagger(
            model,
            tokenizer,
            max_length=self.max_length,
            overlap=self.overlap,
            batch_size=self.batch_size,
            by_pieces=plain_strategy(model, tokenizer) == "simple",
        )

    def outputs(self, sentences: Sequence[Sequence[str]]) -> list[WordOutputs]:
        """Compute distributions, tags and emissions of every word, labels as in :attr:`space`.

        Raises:
            NonFiniteError: It gives NaN or infinity for a word.
        """
        with self._naming_errors():
            return [self.mapping.outputs(own) for own in self.tagger.outputs(sentences)]

    def log_probs(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Compute BIO log probabilities of every word: one (words, labels) array per sentence."""
        with self._naming_errors():
            return [self.mapping.log_probs(values) for values in self.tagger.log_probs(sentences)]

    def tags(self, sentences: Sequence[Sequence[str]]) -> list[np.ndarray]:
        """Compute the teacher's own decoding in BIO: ids into :attr:`space`, one (words,) array per sentence."""
        with self._naming_errors():
            return [self.mapping.tags(own) for own in self.tagger.tags(sentences)]

    def spans(self, sentences: Sequence[Sequence[str]]) -> list[SentenceSpans]:
        """Find the mentions of every sentence, as word spans in the student's names of the types.

        They are what the plain pipeline finds under the strategy that :func:`plain_strategy` recommends, so that
        tables and comparisons show of every model what its card shows.

        Raises:
            NonFiniteError: As :meth:`outputs`.
        """
        with self._naming_errors():
            return self.tagger.spans(sentences, lambda own: self.mapping.spans(self.mapping.outputs(own)))

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        try:
            yield
        except NonFiniteError as error:
            raise NonFiniteError(f"teacher {self.name!r} at {self.path}: {error}") from None

    def _check_types(self, student_types: Sequence[str]) -> None:
        foreign = sorted(set(self.types) - set(student_types))
        if foreign:
            raise LabelError(
                f"teacher {self.name!r} at {self.path}: its types {foreign} are not among the student's types "
                f"{list(student_types)}. Map them in the teacher's `types:` (teacher's name: student's name); types "
                "left out there are read as O."
            )

    def _load(self, auto: Any) -> Any:
        """Load a part of the model by an Auto class of `transformers`, which knows this package's models too."""
        from hf_bionerkd.models.registration import register

        register()
        with explaining_refusals(self.folder, f"teacher {self.name!r} at {self.path}", self.trust_remote_code):
            return auto.from_pretrained(self.folder, trust_remote_code=self.trust_remote_code)
