"""Compute the teachers' outputs of a distillation run ahead of it; `recipes/distill.py` then finds them done.

    accelerate launch recipes/cache_teachers.py --config recipes/demo/distill.yaml
    accelerate launch --num_processes 4 recipes/cache_teachers.py --config recipes/taughtnet/large.yaml

Processes share the sentences. A killed run continues with what it has; nothing is computed twice while the teachers'
files, the corpora's words and the window settings stay the same.
"""

from hf_bionerkd.runs.config import DistillConfig
from hf_bionerkd.runs.recipe import run_recipe


def main(config: DistillConfig) -> None:
    """Open (or train) the teachers and fill the caches and the aggregated targets."""
    from accelerate import PartialState

    from hf_bionerkd.runs.distill import cache_dir, make_lessons, plan_teachers, prepare_teachers
    from hf_bionerkd.runs.loading import label_space, load_corpora
    from hf_bionerkd.runs.sources import pin_sources

    config.teacher_outputs.mode = "cached"
    config, _ = pin_sources(config, config.output_dir)
    corpora = load_corpora(config.corpora)
    space = label_space(config.types, corpora)
    make_lessons(config, prepare_teachers(plan_teachers(config, space), space), corpora, space)
    if PartialState().is_main_process:
        print(f"teacher outputs: {cache_dir(config)}")


if __name__ == "__main__":
    run_recipe(main, DistillConfig, "recipes/demo/distill.yaml", __doc__)
