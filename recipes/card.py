r"""Render a model's card again, offline: under another name, or with what people say of it now.

    python recipes/card.py runs/demo/distill/student --name ORG/STUDENT
    python recipes/card.py runs/demo/distill/student --card model_cards/demo-student/card.yaml \
        --output model_cards/demo-student --name demo-student

`--help` says more; the function is `hf_bionerkd.runs.refresh_card.refresh_card`, and `bionerkd card` the same program.
"""

from functools import partial

from hf_bionerkd.runs import refresh_card

main = partial(refresh_card.main, program="python recipes/card.py")

if __name__ == "__main__":
    main()
