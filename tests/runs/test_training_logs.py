"""TensorBoard is not installed here: a module of its name stands in, whose writer makes a file as the real one."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import tiny
import torch

from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.config_loading import from_dict
from hf_bionerkd.runs.config_sections import ModelConfig
from hf_bionerkd.runs.finetune import finetune
from hf_bionerkd.runs.loading import make_model
from hf_bionerkd.runs.training_run import train


class Writer:
    def __init__(self, log_dir):
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        self.path = Path(log_dir) / "events.out.tfevents.1"
        self.path.touch()

    def add_text(self, *_):
        pass

    def add_scalar(self, name, *_):
        with open(self.path, "a") as file:
            file.write(f"{name}\n")

    def flush(self):
        pass

    close = flush


@pytest.fixture(autouse=True)
def tensorboard(monkeypatch):
    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    monkeypatch.setattr("transformers.integrations.integration_utils.is_tensorboard_available", lambda: True)
    monkeypatch.setattr("hf_bionerkd.runs.arguments.check_trackers", lambda args: None)
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)


def test_events_stay_when_the_checkpoints_go(tmp_path):
    values = {
        "output_dir": str(tmp_path / "run"),
        "corpora": [{"name": "gene", "path": tiny.write_corpus(tmp_path, "gene", ("Gene",))}],
        "model": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64},
        "training": {**tiny.TRAINING, "report_to": "tensorboard"},
    }
    finetune(from_dict(FinetuneConfig, values, "a test"))
    (events,) = tmp_path.rglob("events*")
    assert events.parent == tmp_path / "run" / "logs"
    assert "train/loss" in events.read_text() and not (tmp_path / "run" / "checkpoints").exists()


def test_the_folder_that_the_user_names_is_kept(corpora, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "mine"))
    job = tiny.make_job(corpora[:1], {"report_to": "tensorboard"})
    torch.manual_seed(0)
    model, tokenizer = make_model(ModelConfig(architecture=tiny.ARCHITECTURE), tiny.wordpiece(), job.tags, job.space)
    train(job, model, tokenizer, tmp_path / "checkpoints", resume=False, logs=tmp_path / "logs")
    assert (tmp_path / "mine" / "events.out.tfevents.1").exists() and not (tmp_path / "logs").exists()
