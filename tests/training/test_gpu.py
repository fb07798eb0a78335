"""The same training on a GPU, in bf16: skipped where there is none."""

import numpy as np
import pytest
import tiny

from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.runs.config_sections import EncodingConfig, ModelConfig
from hf_bionerkd.runs.loading import make_model, make_tags
from hf_bionerkd.runs.training_run import Job, make_trainer, measure
from hf_bionerkd.teachers.aggregation import TeacherTypes

SPACE = LabelSpace(("Disease", "Chemical", "Gene"))


def trained(corpora, folder, **training):
    rows = join_corpora(corpora, "train", SPACE)
    targets = tiny.ListedTargets([np.eye(len(SPACE))[labels] for labels in rows["labels"]])
    tags = make_tags("corpus", corpora, neutral=True, end_tag=True)
    job = Job(
        corpora,
        SPACE,
        tags,
        EncodingConfig(max_length=64),
        {**tiny.TRAINING, "eval_strategy": "epoch", "save_strategy": "epoch", **training},
        seed=1,
        gold_outside="partial",
        terms=tiny.taughtnet(0.9),
        targets=targets,
        teachers=[TeacherTypes("all", SPACE.types)],
    )
    import torch

    torch.manual_seed(0)
    model, tokenizer = make_model(ModelConfig(architecture=tiny.ARCHITECTURE), tiny.wordpiece(), tags, SPACE)
    trainer = make_trainer(job, model, tokenizer, folder)
    trainer.train()
    return job, trainer, tokenizer


@pytest.mark.gpu
def test_bf16_training_on_a_gpu_follows_the_cpu(corpora, tmp_path):
    _, on_cpu, _ = trained(corpora, tmp_path / "cpu")
    job, on_gpu, tokenizer = trained(corpora, tmp_path / "gpu", use_cpu=False, bf16=True)
    assert next(on_gpu.model.parameters()).is_cuda
    losses = [[log["loss"] for log in t.state.log_history if "loss" in log] for t in (on_cpu, on_gpu)]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert len(measure(job, on_gpu.model, tokenizer, "student").strict) == 2 * 4
