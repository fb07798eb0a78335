"""Students and their annotations: any token classifier in safetensors, on text of any length."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
from sentences import split_sentences

from hf_bionerkd.digests import DamagedFileError
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.encoding.tag_pairs import set_default_tag
from hf_bionerkd.hub.errors import HubError
from hf_bionerkd.hub.references import parse_reference
from hf_bionerkd.hub.remote_code import RemoteCodeError, explaining_refusals
from hf_bionerkd.hub.secrets import redact
from hf_bionerkd.hub.snapshots import model_folder
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelError, LabelSpace, WordSpan, spans_to_mentions

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")
_LONGEST_QUOTE = 300  # characters of an error message
_SURROGATE = re.compile("[\ud800-\udfff]")

Progress = Callable[[int, int], None]


class StudentError(RuntimeError):
    """A student cannot be loaded or used; the message is for the person at the page."""


@dataclass(frozen=True)
class Annotation:
    """A text with the mentions that a student found in it.

    Args:
        document (`Document`): The text and its mentions, which do not overlap.
        scores (`tuple[float, ...]`): One score per mention, from 0 to 1: the mean, over the mention's words, of the
            probability that the student gives to the word's tag. The plain pipeline prints the same number with
            `aggregation_strategy="first"`.
        model (`str`): Hub id or folder of the student.
        types (`tuple[str, ...]`): Types that the student knows.
        revision (`str`, *optional*): Branch, tag or commit that was asked for.
        commit (`str`, *optional*): Commit that the student was loaded at; None for a folder.
        tag (`str`, *optional*): Tag pair around the text; None where the student has none.
        minimum_score (`float`, *optional*, defaults to 0.0): Lowest score of a mention that was kept.
        left_out (`int`, *optional*, defaults to 0): Mentions that somebody chose not to see.
    """

    document: Document
    scores: tuple[float, ...]
    model: str
    types: tuple[str, ...]
    revision: str | None = None
    commit: str | None = None
    tag: str | None = None
    minimum_score: float = 0.0
    left_out: int = 0

    @property
    def scored(self) -> list[tuple[Mention, float]]:
        """Mentions with their scores, in order of the text."""
        return list(zip(self.document.mentions, self.scores, strict=True))


class Student:
    """A token classifier that several threads may use at once.

    Args:
        name (`str`): Hub id ``org/name``, ``org/name@revision``, or a local folder.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.

    Raises:
        StudentError: The model cannot be reached or loaded, or is not a token classifier in safetensors of a stock
            architecture.

    Example:
        ```python
        >>> annotation = Student("org/student").annotate("Aspirin helps.")
        >>> [(mention.text, mention.type) for mention in annotation.document.mentions]
        [('Aspirin', 'Chemical')]
        ```
    """

    def __init__(self, name: str, revision: str | None = None) -> None:
        try:
            reference = parse_reference(name, revision)
            folder, self.commit = model_folder(name, revision)
        except (FileNotFoundError, ValueError, HubError, DamagedFileError) as error:
            raise StudentError(redact(str(error))) from error
        self.name = name if reference is None else reference.repo_id
        self.revision = None if reference is None else reference.revision
        self._taggers: dict[str | None, WordTagger] = {}
        self._lock = threading.Lock()
        # The labels first: a model that is no tagger is refused before its weights are read.
        with _explaining(self.name, folder):
            self.space, self._order = _label_space(folder)
            self._model, self._tokenizer = _load(folder)
            self._tag_pairs: Mapping[str, Any] = self._tokenizer.init_kwargs.get("bionerkd_tag_pairs") or {}
            self._tagger(self.default_tag)

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types that the student finds."""
        return self.space.types

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the tag pairs that the student knows; none for models without."""
        return tuple(self._tag_pairs)

    @property
    def default_tag(self) -> str | None:
        """Tag pair of the published tokenizer."""
        recorded = getattr(self._model.config, "bionerkd_tag_pairs", None) or {}
        default = recorded.get("default")
        return default if default in self._tag_pairs else next(iter(self._tag_pairs), None)

    def annotate(self, text: str, tag: str | None = None, on_progress: Progress | None = None) -> Annotation:
        """Find the mentions in a text of any length.

        Each sentence is read by itself, as in training; a sentence longer than the model's input is read in windows.

        Args:
            text (`str`): Any text. Lone surrogates, which no file can hold, become U+FFFD; offsets stay.
            tag (`str`, *optional*): Name of a tag pair; the default one by default.
            on_progress (`Callable[[int, int], None]`, *optional*): A function that is called with the number of
                windows read so far and their total.

        Raises:
            StudentError: The student has no such tag.
        """
        tag = self.default_tag if tag is None else tag
        if tag is not None and tag not in self.tags:
            known = f"it knows {', '.join(self.tags)}" if self.tags else "it has none"
            raise StudentError(f"{self.name} has no tag {tag!r}; {known}")
        text = _SURROGATE.sub("\ufffd", text)
        document = Document("1", text)
        sentences = split_sentences(text, document.words)
        tokens = document.tokens
        read = self.read([tokens[first:last] for first, last in sentences], tag, on_progress)
        # Word spans count within their sentence; shift them to the whole text.
        spans = [
            (first + offset, last + offset, kind)
            for (offset, _), (own, _) in zip(sentences, read, strict=True)
            for first, last, kind in own
        ]
        mentions = spans_to_mentions(spans, document, source=self.name)
        scores = tuple(score for _, scores in read for score in scores)
        document = Document(document.id, text, mentions, document.words)
        return Annotation(document, scores, self.name, self.types, self.revision, self.commit, tag)

    def read(
        self, sentences: Sequence[Sequence[str]], tag: str | None = None, on_progress: Progress | None = None
    ) -> list[tuple[list[WordSpan], list[float]]]:
        """Find the mentions of sentences that are divided into words already.

        Args:
            sentences (`Sequence[Sequence[str]]`): Words of each sentence.
            tag (`str`, *optional*): Name of a tag pair; the default one by default.
            on_progress (`Callable[[int, int], None]`, *optional*): A function that is called with the number of
                windows read so far and their total.

        Returns:
            Word spans of each sentence, and their scores.
        """
        results = []
        for log_probs in self._tagger(tag or self.default_tag).log_probs(sentences, on_progress):
            # The model's labels in the order of a label space, which decoding needs.
            own = log_probs[:, list(self._order)]
            spans = self.space.decode(own.argmax(axis=1))
            probabilities = np.exp(own.max(axis=1))
            results.append((spans, [float(probabilities[first:last].mean()) for first, last, _ in spans]))
        return results

    def _tagger(self, tag: str | None) -> WordTagger:
        """Return the tagger of a tag pair, made when it is first used."""
        with self._lock:
            if tag not in self._taggers:
                tokenizer = self._tokenizer if tag is None else set_default_tag(self._tokenizer, tag, self._tag_pairs)
                tagger = WordTagger(self._model, tokenizer)
                # With tokenizers 0.23 the first call writes settings into the Rust tokenizer, so it must be over
                # before threads share it. A tokenizer that its use does not change would make this needless.
                tagger.log_probs([["a"]])
                self._taggers[tag] = tagger
            return self._taggers[tag]


def _label_space(folder: Path) -> tuple[LabelSpace, Sequence[int]]:
    """Return the labels that a folder's configuration names, and their order in the model."""
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    return LabelSpace.from_labels([config.id2label[index] for index in range(config.num_labels)])


def _load(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """Load a model for inference, on a GPU where there is one, and its tokenizer."""
    import torch
    from transformers import AutoTokenizer

    from hf_bionerkd.models.auto import load_token_classifier

    model = load_token_classifier(str(folder)).eval().requires_grad_(False)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=False)


@contextmanager
def _explaining(name: str, folder: Path) -> Iterator[None]:
    """Explain any error of a model within the block in a sentence for the page."""
    try:
        if not (folder / "config.json").is_file():
            raise StudentError(f"{name} is no model for transformers: it has no config.json.")
        if not any(path for pattern in _VOCABULARIES for path in folder.glob(pattern)):
            # Transformers 5 would make up a tokenizer without any words.
            raise StudentError(f"{name} has no tokenizer: save one into its repository with save_pretrained.")
        with explaining_refusals(folder, name, trusted=False):
            yield
    except StudentError:
        raise
    except RemoteCodeError as error:
        raise StudentError(
            f"{name} needs code of its own, and this page runs none that comes with a model. To use the model, read "
            "its code, then load it in Python."
        ) from error
    except LabelError as error:
        raise StudentError(f"{name} is no tagger of mentions: {error}") from error
    except Exception as error:  # every library that reads a repository has its own errors for a broken one
        reason = shorten(redact(str(error)) or type(error).__name__, _LONGEST_QUOTE, placeholder=" …")
        raise StudentError(f"{name} could not be loaded: {reason}") from error
