"""Run one configuration with several values of one key, and say which is best on validation.

    python recipes/sweep.py --config recipes/han2023/distill.yaml --key loss.alpha --values 0.1 0.3 0.5 0.7 0.9
    python recipes/sweep.py --recipe finetune --config recipes/zhou2021/baseline.yaml --key seed --values 13 14 15

`--help` says more; the function is `hf_bionerkd.runs.sweep.sweep`, and `bionerkd sweep` the same program.
"""

from functools import partial

from hf_bionerkd.runs import sweep

main = partial(sweep.main, program="python recipes/sweep.py")

if __name__ == "__main__":
    main()
