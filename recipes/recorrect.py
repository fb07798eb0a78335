"""Re-correct the labels of a weak corpus with a model that has seen human ones, round by round (Zhou et al. 2021).

    accelerate launch recipes/recorrect.py --config recipes/zhou2021/recorrect_cdrc.yaml
    accelerate launch recipes/recorrect.py --config recipes/zhou2021/recorrect_cdra.yaml limit=500 max_rounds=2
    accelerate launch recipes/recorrect.py --config recipes/zhou2021/recorrect_cdrc.yaml push_to_hub=org/cdrc

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.runs.recorrect_config import RecorrectConfig


def main(config: RecorrectConfig) -> None:
    """Go through the rounds, keep the best corpus and its models, print what was measured, push if asked to."""
    from accelerate import PartialState

    from hf_bionerkd.runs.recorrect import recorrect
    from hf_bionerkd.runs.revision_push import push_revisions
    from hf_bionerkd.weak.round_tables import changes_table, scores_table

    outcome = recorrect(config)
    if PartialState().is_main_process:
        print(f"\n{scores_table(outcome)}\n\n{changes_table(outcome.rounds)}\n")
        print(f"the best round is {outcome.best}: {config.output_dir}")
        for line in push_revisions(config, outcome):
            print(line, flush=True)


if __name__ == "__main__":
    run_recipe(main, RecorrectConfig, None, __doc__)
