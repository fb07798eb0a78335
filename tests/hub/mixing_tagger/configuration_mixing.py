"""Configuration of the mixing tagger."""

from typing import Any

from transformers import PretrainedConfig


class MixingConfig(PretrainedConfig):
    model_type = "mixing-tagger"

    def __init__(self, vocab_size: int = 100, hidden_size: int = 16, reach: int = 1, **kwargs: Any) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.reach = reach
        super().__init__(**kwargs)
