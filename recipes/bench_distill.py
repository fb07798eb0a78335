"""Benchmark of distillation: a step with cached teachers against a plain fine-tuning step of the same student.

    python recipes/bench_distill.py
    python recipes/bench_distill.py --config recipes/taughtnet/scratch_cpu.yaml

Both trainers get the same batches in the same order, in turns of ten optimiser steps, data loading included. The
program prints the ratio turn by turn, because single timings on shared machines say little. The teachers are random
models of the student's own architecture: reading a cached teacher costs the same whatever it predicts. Apart from the
corpora, nothing is written outside a temporary folder.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.recipe import run_recipe

TURNS = 16
STEPS = 10  # optimiser steps per turn


def main(config: DistillConfig) -> None:
    """Fill a cache from random teachers, then time the two trainers in turns."""
    import torch
    from transformers import set_seed

    from hf_bionerkd.data.joining import join_corpora
    from hf_bionerkd.labels import LabelSpace
    from hf_bionerkd.losses.mixture import mixture_of, taughtnet_mixture
    from hf_bionerkd.runs.loading import label_space, load_corpora, make_model, make_tags, make_tokenizer
    from hf_bionerkd.runs.training_run import Job, make_trainer
    from hf_bionerkd.teachers.lessons import open_columns
    from hf_bionerkd.teachers.teacher import Teacher
    from hf_bionerkd.training.student import save_student

    corpora = load_corpora(config.corpora)
    space = label_space(config.types, corpora)
    tags = make_tags(config.encoding.tag_pair, corpora, neutral=True, end_tag=config.encoding.end_tag)
    length = int(config.student.architecture.get("max_position_embeddings", 512))
    tokenizer = make_tokenizer(config.student, corpora, length)
    none = make_tags("none", corpora, neutral=False, end_tag=True)
    with tempfile.TemporaryDirectory() as scratch:
        # One random teacher per type, saved and loaded like any other.
        teachers = []
        for kind in space.types:
            set_seed(config.seed)
            folder = Path(scratch) / kind
            save_student(folder, *make_model(config.student, tokenizer, none, LabelSpace((kind,))), none)
            teachers.append(Teacher(str(folder), name=kind, student_types=space.types))
        rows, loss = join_corpora(corpora, "train", space), taughtnet_mixture(0.9)
        start = time.perf_counter()
        sources = open_columns(loss.reads, teachers, rows, space, cache_dir=Path(scratch) / "cache")
        sentences = len(rows)
        print(f"cache: {sentences} sentences, {len(teachers)} teachers, {time.perf_counter() - start:.1f} s, once")

        # Two jobs that differ in their loss alone: no evaluation and no saving between the steps.
        training = {**config.training, "eval_strategy": "no", "save_strategy": "no"}
        shared: dict[str, Any] = {
            "corpora": corpora,
            "space": space,
            "tags": tags,
            "encoding": config.encoding,
            "training": training,
            "seed": config.seed,
        }
        covers = [teacher.covers for teacher in teachers]
        jobs = {
            "plain": Job(**shared, loss=mixture_of({"gold": 1.0}, {"gold": {"outside": "all"}})),
            "kd": Job(**shared, loss=loss, sources=sources, teachers=covers),
        }
        turns = {}
        for name, job in jobs.items():
            set_seed(config.seed)
            turns[name] = timed_turns(make_trainer(job, *make_model(config.student, tokenizer, tags, space), scratch))
        next(turns["plain"]), next(turns["kd"])  # warm-up
        pairs = [(next(turns["plain"]), next(turns["kd"])) for _ in range(TURNS)]
    ratios = sorted(kd / plain for plain, kd in pairs)
    plain, kd = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"plain fine-tuning: {plain:.1f} ms per step (median, {torch.get_num_threads()} threads)")
    print(f"distillation:      {kd:.1f} ms per step (median)")
    print(f"ratio, {TURNS} turns: median {statistics.median(ratios):.3f}, {ratios[0]:.3f} to {ratios[-1]:.3f}")


def timed_turns(trainer: Any) -> Iterator[float]:
    """Yield seconds per optimiser step, data loading included, as means over `STEPS` steps, without end."""
    model, device = trainer.model, trainer.args.device
    trainer.create_optimizer()

    def batches() -> Iterator[Any]:
        while True:
            yield from trainer.get_train_dataloader()

    stream = batches()
    while True:
        start = time.perf_counter()
        for _ in range(STEPS):
            batch = next(stream)
            counts = trainer._get_num_items_in_batch([batch], device)
            trainer.training_step(model, batch, counts)
            trainer.optimizer.step()
            trainer.optimizer.zero_grad()
        yield (time.perf_counter() - start) / STEPS


if __name__ == "__main__":
    run_recipe(main, DistillConfig, "recipes/demo/distill.yaml", __doc__)
