"""Running token classifiers over sentences, and what their outputs mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hf_bionerkd.lazy import attach

if TYPE_CHECKING:
    from .finite import NonFiniteError as NonFiniteError
    from .outputs import CrfOutputs as CrfOutputs
    from .outputs import SentenceSpans as SentenceSpans
    from .outputs import SoftmaxOutputs as SoftmaxOutputs
    from .outputs import TypeMapping as TypeMapping
    from .outputs import WordOutputs as WordOutputs
    from .outputs import output_layer_of as output_layer_of
    from .plain_pipeline import plain_strategy as plain_strategy
    from .speed import measure_throughput as measure_throughput
    from .speed import some_sentences as some_sentences
    from .word_tagger import WordTagger as WordTagger
    from .word_tagger import longest_input as longest_input

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "CrfOutputs": "outputs",
        "NonFiniteError": "finite",
        "SentenceSpans": "outputs",
        "SoftmaxOutputs": "outputs",
        "TypeMapping": "outputs",
        "WordOutputs": "outputs",
        "WordTagger": "word_tagger",
        "longest_input": "word_tagger",
        "measure_throughput": "speed",
        "output_layer_of": "outputs",
        "plain_strategy": "plain_pipeline",
        "some_sentences": "speed",
    },
)
