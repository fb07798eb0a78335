"""The base of all models that label words: losses, scores of pieces, decoding, and the pipeline they bring."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from .crf import UNKNOWN, LinearChainCrf
from .pipelines import WordTaggingPipeline
from .word_outputs import WordTaggerOutput, piece_log_probs, read_words
from .word_pieces import PieceLayout


class EmissionHead(nn.Sequential):
    """The layer that scores labels: one linear layer, or two with tanh between (Zhou et al. 2021, "Basic model").

    Args:
        input_size (`int`): Width of the encoder's vectors.
        hidden_size (`int`): Width between the layers; 0 stands for one layer.
        labels (`int`): Number of labels.
    """

    def __init__(self, input_size: int, hidden_size: int, labels: int) -> None:
        if hidden_size:
            super().__init__(nn.Linear(input_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, labels))
        else:
            super().__init__(nn.Linear(input_size, labels))


class WordLevelModel(PreTrainedModel):
    """The base of token classifiers that label words, with a CRF or a softmax.

    A subclass has `encoder` and `classifier`, tells which pieces start words, and its `forward` ends in `_output`.
    """

    base_model_prefix = "encoder"
    main_input_name = "input_ids"
    pipeline_class = WordTaggingPipeline
    # Callers tell these models from those that label pieces by this attribute, not by the class: a model whose code
    # came from the Hub is of another class.
    labels_words = True

    def _make_output_layer(self) -> None:
        """Set `crf`, which is None where words are labelled by a softmax; a subclass's constructor calls this."""
        config = self.config
        self.crf = LinearChainCrf(config.id2label, config.constrained) if config.output_layer == "crf" else None

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise a module in its own way, which the general one of transformers would overwrite."""
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()

    def word_starts(self, input_ids: Tensor) -> Tensor | None:
        """Tell which pieces start words, by the marks of the vocabulary's pieces.

        Args:
            input_ids (`Tensor`): Ids of pieces, in any shape.

        Returns:
            Booleans of the same shape; None where the model does not know.
        """
        raise NotImplementedError

    def log_probs(self, emissions: Tensor, word_mask: Tensor) -> Tensor:
        """Return log probabilities of words: marginals of the CRF, or the softmax.

        Args:
            emissions (`Tensor`): `(batch, words, labels)`.
            word_mask (`Tensor`): `(batch, words)`, boolean.

        Returns:
            `(batch, words, labels)`; 0 where the mask is false.
        """
        if self.crf is not None:
            return self.crf.marginals(emissions, word_mask)
        return emissions.float().log_softmax(-1).masked_fill(~word_mask[..., None], 0.0)

    @torch.no_grad()
    def decode(self, emissions: Tensor, word_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the labels of words and their probabilities: the best path of a CRF, and its labels' marginals.

        Args:
            emissions (`Tensor`): `(batch, words, labels)`.
            word_mask (`Tensor`): `(batch, words)`, boolean.

        Returns:
            Label ids `(batch, words)`, -100 where the mask is false; log probabilities `(batch, words)`, 0 where it is
            false.
        """
        scores = self.log_probs(emissions, word_mask)
        if self.crf is not None:
            tags = self.crf.decode(emissions, word_mask)[0]
        else:
            tags = scores.argmax(-1).masked_fill(~word_mask, UNKNOWN)
        return tags, scores.gather(-1, tags.clamp(min=0)[..., None])[..., 0]

    def _output(
        self,
        vectors: Tensor,
        layout: PieceLayout,
        labels: Tensor | None,
        output_logits: bool | None,
        num_items_in_batch: Tensor | int | None,
    ) -> WordTaggerOutput:
        """Return the output of `forward`.

        Args:
            vectors (`Tensor`): `(words of the batch, size)`: vectors of the words in `layout`, row by row.
            layout (`PieceLayout`): Positions of those words.
            labels (`Tensor`, *optional*): As given to `forward`.
            output_logits (`bool`, *optional*): As given to `forward`.
            num_items_in_batch (`int`, *optional*): As given to `forward`.
        """
        # Spread the scores of the batch's words over rows of one length.
        flat = self.classifier(vectors)
        emissions = flat.new_zeros(*layout.word_mask.shape, flat.shape[-1])
        emissions[layout.word_mask] = flat
        loss = logits = None
        if labels is not None:
            loss = self._loss(emissions, layout, labels, num_items_in_batch)
        # Training reads emissions; the marginals of a CRF would cost a second pass.
        if output_logits or (output_logits is None and (self.crf is None or not self.training)):
            logits = piece_log_probs(self.log_probs(emissions, layout.word_mask), layout, self.config.id2label)
        return WordTaggerOutput(loss, logits, emissions, layout.word_mask, layout.word_index)

    def _loss(
        self, emissions: Tensor, layout: PieceLayout, labels: Tensor, num_items_in_batch: Tensor | int | None
    ) -> Tensor:
        """Return the mean over sentences (CRF) or words (softmax), or the sum divided by the Trainer's count."""
        words = read_words(labels, layout.word_index, layout.word_mask, UNKNOWN)
        if self.crf is not None:
            total = -self.crf.log_likelihood(emissions, words, layout.word_mask).sum()
            count = (words != UNKNOWN).any(1).sum()
        else:
            total = nn.functional.cross_entropy(
                emissions.flatten(0, 1).float(), words.flatten(), ignore_index=UNKNOWN, reduction="sum"
            )
            count = (words != UNKNOWN).sum()
        # The Trainer counts over all micro-batches of a step, so that accumulation does not change the loss.
        if num_items_in_batch is not None:
            count = torch.as_tensor(num_items_in_batch, device=total.device)
        return total / count.clamp(min=1)

    def save_pretrained(self, save_directory: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Any:
        """Save the model; where its code travels with the weights, name the pipeline that the code brings."""
        # An entry that came with the model names the repository that it was loaded from.
        self.config.__dict__.pop("custom_pipelines", None)
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
