"""Train a single-type teacher, or any supervised token classifier, on one corpus or several.

    accelerate launch recipes/finetune.py --config recipes/demo/teacher_disease.yaml
    accelerate launch recipes/finetune.py --config recipes/taughtnet/teacher_disease_large.yaml model.path=org/encoder

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.training.cli import run_recipe
from hf_bionerkd.training.config import FinetuneConfig


def main(config: FinetuneConfig) -> None:
    """Train, evaluate on the test split, write model, card and metrics, and print the scores."""
    from accelerate import PartialState

    from hf_bionerkd.evaluation.report import text_table
    from hf_bionerkd.training.finetuning import finetune

    metrics = finetune(config)
    if PartialState().is_main_process:
        print(f"\n{text_table(metrics.strict)}\n\nmodel: {config.output_dir}")


if __name__ == "__main__":
    run_recipe(main, FinetuneConfig, None, __doc__)
