"""The mixing tagger."""

from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.modeling_outputs import TokenClassifierOutput

from .configuration_mixing import MixingConfig
from .layers import Mixer


class MixingTagger(PreTrainedModel):
    config_class = MixingConfig
    base_model_prefix = "mixer"

    def __init__(self, config: MixingConfig) -> None:
        super().__init__(config)
        self.mixer = Mixer(config.vocab_size, config.hidden_size, config.reach)
        self.classifier = torch.nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.mixer.embeddings

    def set_input_embeddings(self, value: torch.nn.Module) -> None:
        self.mixer.embeddings = value

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **kwargs: Any
    ) -> TokenClassifierOutput:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return TokenClassifierOutput(logits=self.classifier(self.mixer(input_ids, mask)))
