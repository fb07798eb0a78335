"""Run by test_processes.py, as it is and under `accelerate launch`: train on corpora, write weights and scores.

python shared_training.py CORPORA_FOLDER SENTENCES_PER_PROCESS OUTPUT
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import tiny  # noqa: E402
from accelerate import PartialState  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from hf_bionerkd.data.corpus import load_corpus  # noqa: E402
from hf_bionerkd.training.training_run import measure  # noqa: E402


def main(folder: Path, size: int, output: Path) -> None:
    """Two epochs of distillation with terms of different counts, evaluated on validation; then scores on test."""
    state = PartialState()
    with state.main_process_first():
        corpora = [load_corpus(path.name, str(path)) for path in sorted(folder.iterdir())]
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
            terms=tiny.taughtnet(0.6),
        )
        job.targets = tiny.random_targets(corpora, job.space)
        trainer = tiny.make_trainer(job, output / "checkpoints")
    trainer.train()
    model = trainer.accelerator.unwrap_model(trainer.model)
    metrics = measure(job, model, trainer.train_dataset.encoder.tokenizer, "model")
    if state.is_main_process:
        output.mkdir(exist_ok=True)
        save_file(tiny.weights(model), output / "weights.safetensors")
        found = {name: tiny.losses(trainer, name) for name in ("loss", "loss_kd", "loss_gold", "eval_f1")}
        found |= {"counts": [[r.counts.tp, r.counts.fp, r.counts.fn, *r.interval] for r in metrics.strict]}
        found |= {"processes": state.num_processes}
        (output / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
