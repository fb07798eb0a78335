"""A CRF over words on top of any transformer encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase
from transformers.configuration_utils import PretrainedConfig

from .configuration import TransformerCrfConfig
from .word_level import EmissionHead, WordLevelModel
from .word_outputs import WordTaggerOutput
from .word_pieces import CONTINUES, SPECIAL, STARTS, lay_out, piece_kinds

# What the files beside need in turn: from a local folder transformers 4.57 copies only what this file names itself.
if TYPE_CHECKING:
    from .char_cnn import CharacterCnn as CharacterCnn
    from .crf import LinearChainCrf as LinearChainCrf
    from .pipelines import WordTaggingPipeline as WordTaggingPipeline
    from .positions import longest_input_of as longest_input_of
    from .text import without_surrogates as without_surrogates
    from .windows import plan_windows as plan_windows

_DROPOUT = ("hidden_dropout_prob", "classifier_dropout", "dropout", "dropout_rate")  # names in configurations


class TransformerCrfForTokenClassification(WordLevelModel):
    """An encoder, a head, and a CRF (or softmax) over the first pieces of words.

    Which pieces start words is known from the tokenizer's marks (:meth:`set_tokenizer`), or given as `word_starts`.
    Without either, every piece but special tokens counts as a word.

    Args:
        config (`TransformerCrfConfig`): The encoder's configuration, labels, and the output layer.

    Example:
        ```python
        model = TransformerCrfForTokenClassification.from_encoder("org/encoder", tokenizer, space.id2label)
        model(**tokenizer("Aspirin and fever", return_tensors="pt")).logits
        ```

    Source: Zhou et al. 2021, "Basic model", with BioBERT in place of embedding and BiLSTM.
    """

    config_class = TransformerCrfConfig
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(self, config: TransformerCrfConfig, encoder: PreTrainedModel | None = None) -> None:
        super().__init__(config)
        self.encoder = _encoder_of(config.encoder) if encoder is None else encoder
        # One configuration, so that changes reach both; the attention is what the encoder has chosen for itself.
        attention = self.encoder.config._attn_implementation
        self.encoder.config = config.encoder
        config.encoder._attn_implementation_internal = attention
        if getattr(self.encoder, "pooler", None) is not None:
            self.encoder.pooler = None  # it reads [CLS] for sentences, and here its weights would get no gradient
        # Encoders name their dropout rate differently; BERT's is 0.1.
        given = [config.dropout, *(getattr(config.encoder, name, None) for name in _DROPOUT)]
        self.dropout = nn.Dropout(next((rate for rate in given if rate is not None), 0.1))
        self.classifier = EmissionHead(config.hidden_size, config.head_size, config.num_labels)
        self._make_output_layer()
        self.register_buffer("piece_kinds", torch.full((config.vocab_size,), STARTS, dtype=torch.uint8))
        self.post_init()

    @classmethod
    def from_encoder(
        cls,
        name_or_path: str,
        tokenizer: PreTrainedTokenizerBase,
        id2label: Mapping[int, str],
        *,
        revision: str | None = None,
        trust_remote_code: bool = False,
        **values: Any,
    ) -> TransformerCrfForTokenClassification:
        """Put a new head on a published encoder.

        Args:
            name_or_path (`str`): Hub id or local folder, in safetensors.
            tokenizer (`PreTrainedTokenizerFast`): The tokenizer as it will be used; see :meth:`set_tokenizer`.
            id2label (`Mapping[int, str]`): The labels.
            revision (`str`, *optional*): Branch, tag or commit on the Hub.
            trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository contains.
            **values: Values of :class:`TransformerCrfConfig`, such as `head_size`.

        Raises:
            ValueError: The encoder needs code of its own, which would not travel with this model.
        """
        classifier = AutoModelForTokenClassification.from_pretrained(
            name_or_path,
            revision=revision,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
            dtype=torch.float32,
        )
        encoder = classifier.base_model
        if not type(classifier).__module__.startswith("transformers.") or encoder is classifier:
            raise ValueError(
                f"{name_or_path}: a CRF goes on encoders that transformers knows, not on {type(classifier).__name__}, "
                "whose code would not travel with it; train it with its own head"
            )
        label2id = {label: index for index, label in id2label.items()}
        attention = encoder.config._attn_implementation
        config = TransformerCrfConfig(encoder.config, id2label=dict(id2label), label2id=label2id, **values)
        encoder.config._attn_implementation_internal = attention  # a configuration around it has taken it away
        model = cls(config, encoder)
        # A tokenizer with a tag pair has more pieces than the published encoder has embeddings.
        if len(tokenizer) > config.vocab_size:
            model.resize_token_embeddings(len(tokenizer))
        model.set_tokenizer(tokenizer)
        return model.eval()

    def set_tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Store with the weights which pieces of a tokenizer start words and which are special.

        Args:
            tokenizer (`PreTrainedTokenizerFast`): A tokenizer that splits text into words as training did, such as
                one that this project has published.

        Raises:
            ValueError: The tokenizer has more pieces than the encoder has embeddings.
        """
        size = len(self.piece_kinds)
        if len(tokenizer) > size:
            raise ValueError(
                f"the tokenizer has {len(tokenizer)} pieces, the encoder {size} embeddings: call "
                "resize_token_embeddings first"
            )
        kinds = torch.full((size,), STARTS, dtype=torch.uint8)
        marked = piece_kinds(tokenizer)
        # Without marks every piece starts a word, which `word_starts` reads as not known.
        if marked is None:
            kinds[tokenizer.all_special_ids] = SPECIAL
        else:
            kinds[: len(marked)] = marked
        self.piece_kinds = kinds.to(self.piece_kinds.device)

    def word_starts(self, input_ids: Tensor) -> Tensor | None:
        """Tell which pieces start words, as booleans; return None where no tokenizer has marked any."""
        marked = bool((self.piece_kinds == CONTINUES).any())
        return self.piece_kinds[input_ids] == STARTS if marked else None

    def get_input_embeddings(self) -> nn.Module:
        """Return the encoder's embeddings."""
        return self.encoder.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the encoder's embeddings."""
        self.encoder.set_input_embeddings(value)

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *args: Any, **kwargs: Any) -> nn.Module:
        """Resize as any model does; added pieces are special tokens until :meth:`set_tokenizer` says otherwise."""
        embeddings = super().resize_token_embeddings(new_num_tokens, *args, **kwargs)
        size, old = embeddings.num_embeddings, len(self.piece_kinds)
        self.piece_kinds = nn.functional.pad(self.piece_kinds[:size], (0, max(size - old, 0)), value=SPECIAL)
        return embeddings

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        word_starts: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_logits: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> WordTaggerOutput:
        """Label words.

        Args:
            input_ids (`Tensor`): `(batch, pieces)`.
            attention_mask (`Tensor`, *optional*): `(batch, pieces)`, 0 at padding.
            word_starts (`Tensor`, *optional*): `(batch, pieces)`, boolean: where words start, in place of the pieces'
                own marks.
            labels (`Tensor`, *optional*): `(batch, pieces)`; the label of a word is that of its first piece; -100
                where it is not known.
            inputs_embeds (`Tensor`, *optional*): `(batch, pieces, size)`, embeddings in place of those of `input_ids`,
                which still tell where words are.
            output_logits (`bool`, *optional*): Compute `logits`; by default in evaluation, and always for a softmax.
            num_items_in_batch (`int`, *optional*): The divisor of the loss, in place of the number of sentences (CRF)
                or words (softmax).
            **kwargs: Other inputs of the encoder, such as `token_type_ids`.
        """
        real = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        layout = lay_out(self.piece_kinds[input_ids], real, word_starts)
        given = {"input_ids": input_ids} if inputs_embeds is None else {"inputs_embeds": inputs_embeds}
        vectors = self.encoder(**given, attention_mask=attention_mask, **kwargs).last_hidden_state
        return self._output(
            self.dropout(vectors[layout.word_heads]), layout, labels, output_logits, num_items_in_batch
        )


def _encoder_of(config: PretrainedConfig) -> PreTrainedModel:
    """Make the encoder that transformers puts under a token classifier, which of T5 is the encoder alone."""
    if type(config) in AutoModelForTokenClassification._model_mapping:
        return AutoModelForTokenClassification.from_config(config).base_model
    return AutoModel.from_config(config)
