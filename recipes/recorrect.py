"""Re-correct the labels of a weak corpus with a model that has seen human ones, round by round (Zhou et al. 2021).

    accelerate launch --quiet recipes/recorrect.py --config recipes/zhou2021/recorrect_cdrc.yaml
    accelerate launch --quiet recipes/recorrect.py --config recipes/zhou2021/recorrect_cdra.yaml limit=500 max_rounds=2
    accelerate launch --quiet recipes/recorrect.py --config recipes/zhou2021/recorrect_cdrc.yaml push_to_hub=org/cdrc

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.runs.recipe import run_recipe
from hf_bionerkd.runs.recorrect import RecorrectConfig, recorrect

if __name__ == "__main__":
    run_recipe(recorrect, RecorrectConfig, None, __doc__)
