"""Distil teachers into one student: many single-type ones (TaughtNet), two complementary ones (Zhou et al.), or one.

    accelerate launch --quiet recipes/distill.py                            # the demo: offline, on the CPU
    accelerate launch --quiet recipes/distill.py --config recipes/taughtnet/scratch_cpu.yaml loss.lam=0.5
    accelerate launch --quiet recipes/distill.py --config recipes/zhou2021/student.yaml
    accelerate launch --quiet recipes/distill.py push_to_hub=org/student card=model_cards/demo-student/card.yaml

Any key of the YAML can be overridden by ``key=value``. A killed run continues with ``resume=true``.
"""

from hf_bionerkd.runs.distill import DistillConfig, distill
from hf_bionerkd.runs.recipe import run_recipe

if __name__ == "__main__":
    run_recipe(distill, DistillConfig, "recipes/demo/distill.yaml", __doc__)
