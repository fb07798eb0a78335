"""What the mixing tagger is made of."""

import torch


class Mixer(torch.nn.Module):
    """Embeddings, each mixed with its neighbours through a gate; padding gives nothing to anyone."""

    def __init__(self, vocab_size: int, hidden_size: int, reach: int) -> None:
        super().__init__()
        self.embeddings = torch.nn.Embedding(vocab_size, hidden_size)
        self.mix = torch.nn.Conv1d(hidden_size, 2 * hidden_size, 2 * reach + 1, padding=reach)

    def forward(self, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        embedded = self.embeddings(input_ids) * mask.unsqueeze(-1)
        value, gate = self.mix(embedded.transpose(1, 2)).transpose(1, 2).chunk(2, dim=-1)
        return embedded + value * gate.sigmoid()
