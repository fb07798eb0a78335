"""Publish a student, a teacher or a corpus on the Hub; or a Space in which anyone can try students.

    python recipes/push.py runs/demo/distill/student ORG/STUDENT --private --tag v1
    python recipes/push.py data/demo/demo-gene ORG/DEMO-GENE --dry-run
    python recipes/push.py --space ORG/DEMO --students ORG/STUDENT@v1 ORG/OTHER

`--help` says more; the function is `hf_bionerkd.runs.push_to_hub.push`, and `bionerkd push` the same program.
"""

from functools import partial

from hf_bionerkd.runs import push_to_hub

main = partial(push_to_hub.main, program="python recipes/push.py")

if __name__ == "__main__":
    main()
