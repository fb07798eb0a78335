"""Train a single-type teacher, or any supervised token classifier, on one corpus or several.

    accelerate launch --quiet recipes/finetune.py --config recipes/demo/teacher_disease.yaml
    accelerate launch --quiet recipes/finetune.py --config recipes/taughtnet/teacher_gene.yaml model.path=org/encoder
    accelerate launch --quiet recipes/finetune.py --config recipes/demo/teacher_gene.yaml push_to_hub=org/genes

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.runs.finetune import FinetuneConfig, finetune
from hf_bionerkd.runs.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(finetune, FinetuneConfig, None, __doc__)
