"""What all models that label words have in common: losses, scores of pieces, decoding, the pipeline they bring."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from .crf import UNKNOWN, LinearChainCrf
from .pipelines import WordTaggingPipeline
from .word_outputs import WordTaggerOutput, piece_log_probs, read_words
from .word_pieces import PieceLayout


class EmissionHead(nn.Sequential):
    """Scores of labels: one linear layer, or two with tanh between them (Zhou et al. 2021, "Basic model").

    Args:
        input_size (`int`): Width of the encoder's vectors.
        hidden_size (`int`): Width between the layers; 0: one layer.
        labels (`int`): How many there are.
    """

    def __init__(self, input_size: int, hidden_size: int, labels: int) -> None:
        if hidden_size:
            super().__init__(nn.Linear(input_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, labels))
        else:
            super().__init__(nn.Linear(input_size, labels))


class WordLevelModel(PreTrainedModel):
    """Base of token classifiers that give labels to words, with a CRF or a softmax.

    A subclass has `encoder` and `classifier`, tells which pieces start words, and its `forward` ends in `_answer`.
    """

    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    pipeline_class = WordTaggingPipeline
    labels_words = (
        True  # asked by who must tell these models from those that label pieces, wherever their code is from
    )

    def _make_output_layer(self) -> None:
        """To be called by a subclass's constructor. `crf` is None where words are labelled by a softmax."""
        config = self.config
        self.crf = LinearChainCrf(config.id2label, config.constrained) if config.output_layer == "crf" else None

    def _init_weights(self, module: nn.Module) -> None:
        # Each module has its own way, which the general one of transformers would overwrite.
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()

    def word_starts(self, input_ids: Tensor) -> Tensor | None:
        """Which pieces start words, by the marks that the vocabulary's pieces bear.

        Args:
            input_ids (`Tensor`): Of any shape.

        Returns:
            Boolean, of the same shape; None where the model does not know.
        """
        raise NotImplementedError

    def log_probs(self, emissions: Tensor, word_mask: Tensor) -> Tensor:
        """Log probabilities of words: marginals of the CRF, or the softmax.

        Args:
            emissions (`Tensor`): `(batch, words, labels)`.
            word_mask (`Tensor`): `(batch, words)`, boolean.

        Returns:
            As emissions; 0 where the mask is false.
        """
        if self.crf is not None:
            return self.crf.marginals(emissions, word_mask)
        return emissions.float().log_softmax(-1).masked_fill(~word_mask[..., None], 0.0)

    @torch.no_grad()
    def decode(self, emissions: Tensor, word_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The labels of words, and how probable each is: of a CRF the best path, and its labels' marginals.

        Args:
            emissions (`Tensor`): `(batch, words, labels)`.
            word_mask (`Tensor`): `(batch, words)`, boolean.

        Returns:
            Label ids `(batch, words)`, -100 where the mask is false; log probabilities `(batch, words)`, 0 there.
        """
        scores = self.log_probs(emissions, word_mask)
        if self.crf is not None:
            tags = self.crf.decode(emissions, word_mask)[0]
        else:
            tags = scores.argmax(-1).masked_fill(~word_mask, UNKNOWN)
        return tags, scores.gather(-1, tags.clamp(min=0)[..., None])[..., 0]

    def _answer(
        self,
        vectors: Tensor,
        layout: PieceLayout,
        labels: Tensor | None,
        output_logits: bool | None,
        num_items_in_batch: Tensor | int | None,
    ) -> WordTaggerOutput:
        """The output of `forward`.

        Args:
            vectors (`Tensor`): `(words of the batch, size)`: of the words in `layout`, row by row.
            layout (`PieceLayout`): Where those words are.
            labels (`Tensor`, *optional*): As given to `forward`.
            output_logits (`bool`, *optional*): As given to `forward`.
            num_items_in_batch (`int`, *optional*): As given to `forward`.
        """
        flat = self.classifier(vectors)
        emissions = flat.new_zeros(*layout.word_mask.shape, flat.shape[-1])
        emissions[layout.word_mask] = flat
        loss = logits = None
        if labels is not None:
            loss = self._loss(emissions, layout, labels, num_items_in_batch)
        if output_logits or (output_logits is None and (self.crf is None or not self.training)):
            logits = piece_log_probs(self.log_probs(emissions, layout.word_mask), layout, self.config.id2label)
        return WordTaggerOutput(loss, logits, emissions, layout.word_mask, layout.word_index)

    def _loss(
        self, emissions: Tensor, layout: PieceLayout, labels: Tensor, num_items_in_batch: Tensor | int | None
    ) -> Tensor:
        """A mean over sentences (CRF) or words (softmax), or the sum over what the Trainer has counted."""
        words = read_words(labels, layout.word_index, layout.word_mask, UNKNOWN)
        if self.crf is not None:
            total = -self.crf.log_likelihood(emissions, words, layout.word_mask).sum()
            count: Any = (words != UNKNOWN).any(1).sum()
        else:
            total = nn.functional.cross_entropy(
                emissions.flatten(0, 1).float(), words.flatten(), ignore_index=UNKNOWN, reduction="sum"
            )
            count = (words != UNKNOWN).sum()
        if num_items_in_batch is not None:
            count = torch.as_tensor(num_items_in_batch, device=total.device)
        return total / count.clamp(min=1)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> Any:
        """Save; where the code travels with the weights, name the pipeline that it brings."""
        self.config.__dict__.pop("custom_pipelines", None)  # of where the model was loaded from
        if self._auto_class is not None:
            kind = self.pipeline_class
            self.config.custom_pipelines = {
                "token-classification": {
                    "impl": f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}",
                    "pt": ["AutoModelForTokenClassification"],
                    "type": "text",
                }
            }
        return super().save_pretrained(save_directory, *args, **kwargs)
