"""The configurations of the models that label words."""

from __future__ import annotations

from typing import Any, Literal, get_args

from transformers import AutoConfig
from transformers.configuration_utils import PretrainedConfig  # the spelling that transformers 4 and 5 share

OutputLayer = Literal["crf", "softmax"]


class BiLstmCrfConfig(PretrainedConfig):
    """The configuration of :class:`BiLstmCrfForTokenClassification`.

    Args:
        vocab_size (`int`, *optional*, defaults to 0): Number of pieces of the tokenizer.
        num_words (`int`, *optional*, defaults to 1): Number of word vectors, that of unknown words included.
        num_characters (`int`, *optional*, defaults to 2): Size of the alphabet, padding and the unknown character
            included.
        num_piece_characters (`int`, *optional*, defaults to 0): Number of characters of all pieces together.
            `set_vocabulary` sets this and the three sizes above.
        num_fixed_words (`int`, *optional*, defaults to 0): Number of word vectors, at the end of the table, that
            training does not change: those of words that do not occur in the training text.
        word_embedding_size (`int`, *optional*, defaults to 100): Width of word vectors.
        character_embedding_size (`int`, *optional*, defaults to 30): Width of character vectors.
        character_filters (`int`, *optional*, defaults to 50): Width of the character CNN's vector of a word.
        character_window (`int`, *optional*, defaults to 3): Number of characters that a filter sees; odd.
        max_word_characters (`int`, *optional*, defaults to 30): Number of characters read of each word, from its
            start.
        hidden_size (`int`, *optional*, defaults to 200): Width of each direction of the LSTM.
        num_hidden_layers (`int`, *optional*, defaults to 1): Number of layers of the LSTM.
        head_size (`int`, *optional*, defaults to 200): Width between the two linear layers.
        dropout (`float`, *optional*, defaults to 0.5): Dropout rate before and after the LSTM.
        word_dropout (`float`, *optional*, defaults to 0.25): In training a word seen *n* times is read as unknown
            with probability `word_dropout / (word_dropout + n)`, so that the unknown word's vector is learned from
            rare words (Kiperwasser & Goldberg 2016); 0 turns this off.
        output_layer (`str`, *optional*, defaults to `"crf"`): `"crf"` or `"softmax"`.
        constrained (`bool`, *optional*, defaults to `True`): Whether the CRF forbids what the tag scheme forbids.

    Raises:
        ValueError: The output layer is unknown.
    """

    model_type = "bionerkd_bilstm_crf"
    keys_to_ignore_at_inference = ["emissions", "word_mask", "word_index"]

    def __init__(
        self,
        vocab_size: int = 0,
        num_words: int = 1,
        num_characters: int = 2,
        num_piece_characters: int = 0,
        num_fixed_words: int = 0,
        word_embedding_size: int = 100,
        character_embedding_size: int = 30,
        character_filters: int = 50,
        character_window: int = 3,
        max_word_characters: int = 30,
        hidden_size: int = 200,
        num_hidden_layers: int = 1,
        head_size: int = 200,
        dropout: float = 0.5,
        word_dropout: float = 0.25,
        output_layer: OutputLayer = "crf",
        constrained: bool = True,
        pad_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        _check_output_layer(output_layer)
        self.vocab_size = vocab_size
        self.num_words = num_words
        self.num_characters = num_characters
        self.num_piece_characters = num_piece_characters
        self.num_fixed_words = num_fixed_words
        self.word_embedding_size = word_embedding_size
        self.character_embedding_size = character_embedding_size
        self.character_filters = character_filters
        self.character_window = character_window
        self.max_word_characters = max_word_characters
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.head_size = head_size
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.output_layer = output_layer
        self.constrained = constrained
        super().__init__(pad_token_id=pad_token_id, **kwargs)


class TransformerCrfConfig(PretrainedConfig):
    """The configuration of :class:`TransformerCrfForTokenClassification`.

    Args:
        encoder (`PretrainedConfig` or `dict`, *optional*): Configuration of the encoder, of any type that
            `AutoModel` knows; a dictionary names it under `model_type`. BERT by default.
        head_size (`int`, *optional*, defaults to 0): Width between two linear layers with tanh, as in Zhou et al.
            2021; 0 stands for one linear layer.
        dropout (`float`, *optional*): Dropout rate before the head; the encoder's own rate by default.
        output_layer (`str`, *optional*, defaults to `"crf"`): `"crf"` or `"softmax"`.
        constrained (`bool`, *optional*, defaults to `True`): Whether the CRF forbids what the tag scheme forbids.
        vocab_size, pad_token_id (`int`, *optional*): Values that replace those of `encoder`.

    Raises:
        ValueError: The output layer is unknown; or the encoder has no `model_type`, or one that is unknown.
    """

    model_type = "bionerkd_transformer_crf"
    sub_configs = {"encoder": AutoConfig}
    keys_to_ignore_at_inference = ["emissions", "word_mask", "word_index"]

    def __init__(
        self,
        encoder: PretrainedConfig | dict[str, Any] | None = None,
        head_size: int = 0,
        dropout: float | None = None,
        output_layer: OutputLayer = "crf",
        constrained: bool = True,
        vocab_size: int | None = None,
        pad_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        _check_output_layer(output_layer)
        values = {"model_type": "bert"} if encoder is None else encoder
        if isinstance(values, dict):
            if not values.get("model_type"):
                raise ValueError(f"`encoder` needs `model_type` (such as bert) among {sorted(values)}")
            values = AutoConfig.for_model(**values)
        # The encoder's configuration is the one place for its sizes; properties below read them from there.
        self.encoder = values
        if vocab_size is not None:
            values.vocab_size = vocab_size
        if pad_token_id is None:
            pad_token_id = values.pad_token_id
        values.pad_token_id = pad_token_id
        self.head_size = head_size
        self.dropout = dropout
        self.output_layer = output_layer
        self.constrained = constrained
        super().__init__(pad_token_id=pad_token_id, **kwargs)

    @property
    def vocab_size(self) -> int:
        """Vocabulary size of the encoder."""
        return int(self.encoder.vocab_size)

    @vocab_size.setter
    def vocab_size(self, value: int) -> None:
        self.encoder.vocab_size = value

    @property
    def hidden_size(self) -> int:
        """Hidden size of the encoder."""
        return int(self.encoder.hidden_size)


def _check_output_layer(output_layer: str) -> None:
    if output_layer not in get_args(OutputLayer):
        raise ValueError(f"output_layer={output_layer!r} is not one of {', '.join(map(repr, get_args(OutputLayer)))}")
