"""Run by test_processes.py, as it is and under `accelerate launch`: train on corpora, write weights and scores.

python shared_training.py KIND CORPORA_FOLDER SENTENCES_PER_PROCESS OUTPUT

KIND is "joint" (a model of pieces, the teachers' joint term), or "each" or "soft" (a BiLSTM-CRF, terms that take the
teachers one by one; soft ones alone).
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny  # noqa: E402
from accelerate import PartialState  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from hf_bionerkd.data.corpus import load_corpus  # noqa: E402
from hf_bionerkd.runs.training_run import measure  # noqa: E402
from hf_bionerkd.teachers.aggregation import TeacherTypes  # noqa: E402

TERMS = {
    "joint": tiny.taughtnet(0.6),
    "each": {"hard": 1.0, "l2": 0.5, "adversarial": 0.5, "gold": 0.3},
    "soft": {"tempered": 1.0},
}


def main(kind: str, folder: Path, size: int, output: Path) -> None:
    """Two epochs of distillation with terms of different counts, evaluated on validation; then scores on test."""
    state = PartialState()
    with state.main_process_first():
        corpora = [load_corpus(str(path), path.name) for path in sorted(folder.iterdir())]
        job = tiny.make_job(
            corpora,
            {
                "optim": "sgd",
                "learning_rate": 0.3,
                "lr_scheduler_type": "constant",
                "num_train_epochs": 2,
                "per_device_train_batch_size": size,
                "train_sampling_strategy": "group_by_length",
                "eval_strategy": "epoch",
            },
            gold_outside="entities",
            terms=TERMS[kind],
        )
        if kind == "joint":
            job.sources = [tiny.random_targets(corpora, job.space)]
            trainer = tiny.make_trainer(job, output / "checkpoints")
        else:
            job.sources = [tiny.listed_teachers(corpora, job.space)]
            job.teachers = [TeacherTypes(name, job.space.types) for name in "ca"]
            trainer = tiny.make_word_trainer(job, output / "checkpoints")
    trainer.train()
    model = trainer.student
    metrics = measure(job, model, trainer.train_dataset.encoder.tokenizer, "model")
    if state.is_main_process:
        output.mkdir(exist_ok=True)
        save_file(tiny.weights(model), output / "weights.safetensors")
        parts = [f"loss_{name}" for name in TERMS[kind]]
        found = {name: tiny.losses(trainer, name) for name in ("loss", *parts, "eval_f1")}
        found |= {"counts": [[r.counts.tp, r.counts.fp, r.counts.fn, *r.interval] for r in metrics.strict]}
        found |= {"processes": state.num_processes}
        (output / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
