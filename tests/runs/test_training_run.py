import json

import pytest
import tiny
import torch

from hf_bionerkd.runs.training_run import record_validation


@pytest.mark.parametrize("outside", [True, False])
def test_a_model_that_marks_nothing_is_said_to(corpora, tmp_path, capsys, outside):
    job = tiny.make_job(corpora, {})
    trainer = tiny.make_trainer(job, tmp_path / "out")
    with torch.no_grad():  # every piece gets O, or B of the first type
        trainer.model.classifier.weight.zero_()
        trainer.model.classifier.bias.copy_(torch.nn.functional.one_hot(torch.tensor(-1 if outside else 0) % 7, 7))
    record_validation(job, trainer.model, trainer.processing_class, "student", tmp_path / "out")
    rows = json.loads((tmp_path / "out" / "validation.json").read_text())["lenient"]["results"]
    assert outside == (sum(row["tp"] + row["fp"] for row in rows) == 0)
    assert outside == ("student marks no mention on validation" in capsys.readouterr().out)
