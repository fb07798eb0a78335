"""Distil teachers into one student: many single-type ones (TaughtNet), two complementary ones (Zhou et al.), or one.

    accelerate launch recipes/distill.py                                               # the demo: offline, on the CPU
    accelerate launch recipes/distill.py --config recipes/taughtnet/scratch_cpu.yaml loss.lam=0.5
    accelerate launch recipes/distill.py --config recipes/zhou2021/student.yaml
    accelerate launch recipes/distill.py push_to_hub=org/student card=model_cards/demo-student/card.yaml

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.recipe import run_recipe

if TYPE_CHECKING:
    from hf_bionerkd.evaluation.report import Metrics
    from hf_bionerkd.hub.human_card import HumanCard
    from hf_bionerkd.runs.training_run import Job
    from hf_bionerkd.teachers.teacher import Teacher


def main(config: DistillConfig) -> None:
    """Teachers, their outputs, the student, its baselines, one table."""
    from accelerate import PartialState

    from hf_bionerkd.evaluation.report import read_metrics
    from hf_bionerkd.runs.arguments import training_arguments
    from hf_bionerkd.runs.distill import make_lessons, plan_teachers, prepare_teachers
    from hf_bionerkd.runs.folder import DONE_FILE, claim_run, finish
    from hf_bionerkd.runs.loading import check_splits, label_space, load_corpora, make_tags
    from hf_bionerkd.runs.publishing import check_publication, fetch_run
    from hf_bionerkd.runs.sources import pin_sources
    from hf_bionerkd.runs.training_run import Job

    state = PartialState()
    folder = Path(config.output_dir)
    training_arguments(config.training, output_dir=str(folder), seed=config.seed)  # a mistake there shows at once
    human = check_publication(config)
    fetch_run(config, folder / "student" / "checkpoints")
    asked = config
    config, resolved = pin_sources(asked, folder)
    corpora = load_corpora(config.corpora)
    check_splits(corpora, config.training)
    space = label_space(config.types, corpora)
    tags = make_tags(config.encoding.tag_pair, corpora, neutral=True, end_tag=config.encoding.end_tag)
    plan = plan_teachers(config, space)
    # Only now, with everything checked that can be, does the run claim its folder.
    opened = claim_run(folder, asked, resume=config.resume, overwrite=config.overwrite, resolved=resolved)
    if opened == "finished":
        if state.is_main_process:
            print(f"{folder} holds this run already, finished; overwrite=true runs it again.")
            show(read_metrics(folder / DONE_FILE), folder)
            push_student(config)
        return
    teachers = prepare_teachers(plan, space)
    lessons = make_lessons(config, teachers, corpora, space)

    shared: dict[str, Any] = {
        "corpora": corpora,
        "space": space,
        "tags": tags,
        "encoding": config.encoding,
        "training": config.training,
        "seed": config.seed,
    }
    jobs = {
        "merged": Job(**shared, gold_outside="all"),
        "partial": Job(**shared, gold_outside="partial"),
        "student": Job(
            **shared,
            gold_outside=config.loss.gold_outside,
            terms=config.loss.terms,
            temperature=config.loss.temperature,
            targets=lessons.targets,
            said=lessons.said,
            teachers=[teacher.covers for teacher in teachers],
        ),
    }
    metrics = measure_teachers(jobs["student"], teachers)
    for name in (*config.baselines, "student"):
        metrics += train_model(config, jobs[name], name, teachers, metrics, human)
    if state.is_main_process:
        finish(folder, metrics)
        show(metrics, folder)
        push_student(config)


def measure_teachers(job: Job, teachers: list[Teacher]) -> Metrics:
    """Score each teacher on the test split of every corpus that annotates one of its types."""
    from hf_bionerkd.data.corpus import join_corpora
    from hf_bionerkd.evaluation.report import Metrics
    from hf_bionerkd.runs.loading import named_types
    from hf_bionerkd.runs.training_run import score
    from hf_bionerkd.training.evaluator import MentionEvaluator

    evaluator = MentionEvaluator(join_corpora(job.corpora, "test", job.space), job.space, named_types(job.corpora))
    found = [score(evaluator, f"teacher {t.name}", t.tags, t.space) for t in teachers]
    return sum(found, Metrics(()))


def train_model(
    config: DistillConfig, job: Job, name: str, teachers: list[Teacher], before: Metrics, human: HumanCard
) -> Metrics:
    """Train, measure and publish the student (its card shows `before` too) or a baseline; read it back if finished."""
    from accelerate import PartialState
    from transformers import set_seed

    from hf_bionerkd.evaluation.report import read_metrics
    from hf_bionerkd.hub.cards import TeacherInfo
    from hf_bionerkd.hub.human_card import HumanCard
    from hf_bionerkd.runs.folder import DONE_FILE, publish, read_run, versions
    from hf_bionerkd.runs.loading import make_model, make_tokenizer
    from hf_bionerkd.runs.publishing import checkpoint_callbacks
    from hf_bionerkd.runs.training_run import (
        card_info,
        corpus_tags,
        drop_checkpoints,
        measure,
        record_validation,
        train,
    )

    folder, state = Path(config.output_dir) / name, PartialState()
    if (folder / DONE_FILE).exists():
        if state.is_main_process:
            drop_checkpoints(folder / "checkpoints")  # of a run that was killed just before it did so
        return read_metrics(folder / DONE_FILE).of(name, corpus_tags(name))
    set_seed(config.seed)
    length = int(config.student.architecture.get("max_position_embeddings", 512))
    tokenizer = make_tokenizer(config.student, job.corpora, length)
    model, tokenizer = make_model(config.student, tokenizer, job.tags, job.space)
    is_student = name == "student"
    callbacks = checkpoint_callbacks(config, tokenizer, job.tags) if is_student else []
    trainer = train(job, model, tokenizer, folder / "checkpoints", resume=True, callbacks=callbacks)
    model = trainer.student
    record_validation(job, model, tokenizer, name, folder)
    metrics = measure(job, model, tokenizer, name)
    if state.is_main_process:
        info = card_info(
            job,
            model,
            (config.push_to_hub if is_student else None) or name,
            before + metrics if is_student else metrics,
            mixture=trainer.mixture,
            results_model=name,
            tokenizer=tokenizer,
            base_model=config.student.path,
            base_commit=config.student.revision,
            teachers=[TeacherInfo(t.name, t.spec.path, t.space.types, t.commit or t.revision) for t in teachers]
            if is_student
            else [],
            versions=versions(),
            human=human if is_student else HumanCard(),
        )
        publish(folder, model, tokenizer, job.tags, info, read_run(config.output_dir) or {})
        drop_checkpoints(folder / "checkpoints")
    state.wait_for_everyone()
    return metrics


def push_student(config: DistillConfig) -> None:
    """Publish the student, if the run asks for it; the table has been printed by then, whatever happens here."""
    from hf_bionerkd.runs.publishing import push_finished

    if pushed := push_finished(Path(config.output_dir) / "student", config):
        print(f"\n{pushed}")


def show(metrics: Metrics, folder: Path) -> None:
    """Print the table, where the student lies, and a line to paste."""
    from hf_bionerkd.evaluation.report import text_table

    python = os.path.relpath(sys.executable) if sys.executable.startswith(os.getcwd()) else sys.executable
    student = folder / "student"
    own_code = any(student.glob("*.py"))  # this package's, which the run has just written there
    options = "aggregation_strategy='simple'" + (f", trust_remote_code={own_code}" if own_code else "")
    text = "In patients with aspirin-induced asthma, expression of TP53 was reduced."
    print(f"\n{text_table(metrics.strict, 'strict F1 on test, percent')}\n\nstudent: {student}\ntry it:\n")
    print(
        f"{python} -c \"from transformers import pipeline; print(*pipeline('token-classification', '{student}', "
        f"{options})('{text}'), sep='\\n')\""
    )


if __name__ == "__main__":
    run_recipe(main, DistillConfig, "recipes/demo/distill.yaml", __doc__)
