"""Train a single-type teacher, or any supervised token classifier, on one corpus or several.

    accelerate launch recipes/finetune.py --config recipes/demo/teacher_disease.yaml
    accelerate launch recipes/finetune.py --config recipes/taughtnet/teacher_disease_large.yaml model.path=org/encoder
    accelerate launch recipes/finetune.py --config recipes/demo/teacher_gene.yaml push_to_hub=org/teacher hub.tag=v1

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.runs.config import FinetuneConfig
from hf_bionerkd.runs.recipe import run_recipe


def main(config: FinetuneConfig) -> None:
    """Train, evaluate on the test split, write model, card and metrics, print the scores, push if asked to."""
    from accelerate import PartialState

    from hf_bionerkd.evaluation.report import text_table
    from hf_bionerkd.runs.finetune import finetune
    from hf_bionerkd.runs.publishing import push_finished

    metrics = finetune(config)
    if PartialState().is_main_process:
        print(f"\n{text_table(metrics.strict)}\n\nmodel: {config.output_dir}")
        if pushed := push_finished(config.output_dir, config):
            print(pushed)


if __name__ == "__main__":
    run_recipe(main, FinetuneConfig, None, __doc__)
