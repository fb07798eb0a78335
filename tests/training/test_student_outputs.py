"""How a student is asked for what terms read."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hf_bionerkd.losses.terms import IGNORED
from hf_bionerkd.training.student_outputs import StudentReader, sum_of_crf


class Pieces(nn.Module):
    """A student that labels pieces, and keeps what it was asked."""

    def forward(self, input_ids, attention_mask=None, labels=None, output_hidden_states=None, output_attentions=None):
        self.asked = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        return SimpleNamespace(logits=torch.zeros(*input_ids.shape, 3), hidden_states=(input_ids,))


class Words(Pieces):
    """A student that labels the words at pieces 1 and 2, and has a CRF."""

    labels_words = True

    def __init__(self):
        super().__init__()
        self.crf = nn.Linear(1, 2, bias=False)

    def forward(self, input_ids, attention_mask=None):
        word_index = torch.tensor([[-1, 0, 1, 1]])
        return SimpleNamespace(
            emissions=torch.zeros(1, 2, 3), word_index=word_index, word_mask=torch.tensor([[True, True]])
        )


BATCH = {
    "input_ids": torch.tensor([[7, 8, 9, 9]]),
    "attention_mask": torch.tensor([[1, 1, 1, 0]]),
    "labels": torch.tensor([[IGNORED, 2, 1, IGNORED]]),
    "annotated": torch.tensor([[True, False]]),
}


@pytest.mark.parametrize("reads", [set(), {"hidden_states"}, {"attentions", "hidden_states"}])
def test_a_student_gets_the_inputs_it_takes_and_computes_what_is_read(reads):
    student = Pieces()
    outputs = StudentReader(student, {"scores", *reads}).run(student, BATCH)
    assert student.asked["input_ids"] is BATCH["input_ids"] and student.asked["labels"] is None
    for name in ("hidden_states", "attentions"):
        assert student.asked[f"output_{name}"] is (True if name in reads else None)
    assert outputs.logits.shape == (1, 4, 3)


def test_outputs_of_pieces_are_read_as_they_are():
    student = Pieces()
    reader = StudentReader(student, {"scores"})
    read, batch = reader.read(reader.run(student, BATCH), BATCH)
    assert batch is BATCH and read.mask.tolist() == [[True, True, True, False]]
    assert read.hidden_states is not None and read.attentions is None


def test_columns_of_pieces_become_columns_of_words():
    student = Words()
    reader = StudentReader(student, {"scores"})
    read, batch = reader.read(reader.run(student, BATCH), BATCH)
    assert reader.labels_words and read.scores.shape == (1, 2, 3)
    assert batch["labels"].tolist() == [[2, 1]]
    assert batch["annotated"] is BATCH["annotated"] and batch["input_ids"] is BATCH["input_ids"]


def test_adapters_are_looked_through():
    class Adapted(nn.Module):
        def get_base_model(self):
            return Pieces()

        def forward(self, **kwargs):
            return kwargs

    reader = StudentReader(Adapted(), {"scores"})
    assert {"input_ids", "attention_mask"} <= reader.inputs and "labels" not in reader.inputs


def test_the_weights_of_a_crf_get_a_gradient():
    student = Words()
    (0.0 * sum_of_crf(student)).backward()
    assert student.crf.weight.grad.tolist() == [[0.0], [0.0]]
    assert sum_of_crf(Pieces()) == 0.0
