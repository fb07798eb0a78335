"""Compute the teachers' outputs of a distillation run ahead of it; `recipes/distill.py` then finds them done.

    accelerate launch --quiet recipes/cache_teachers.py --config recipes/demo/distill.yaml
    accelerate launch --quiet --num_processes 4 recipes/cache_teachers.py --config recipes/taughtnet/large.yaml

Processes share the sentences. A killed run continues with what it has; nothing is computed twice while the teachers'
files, the corpora's words and the window settings stay the same.
"""

from hf_bionerkd.runs.cache_teachers import DistillConfig, cache_teachers
from hf_bionerkd.runs.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(cache_teachers, DistillConfig, "recipes/demo/distill.yaml", __doc__)
