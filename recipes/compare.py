r"""Score models on one split of some corpora and compare each with the first: scores, intervals, significance.

    python recipes/compare.py --corpus data/bc5cdr --model baseline=runs/zhou2021/baseline \
        --model student=runs/zhou2021/student/student --json runs/zhou2021/comparison.json
    python recipes/compare.py --corpus data/ncbi_disease --corpus data/bc2gm \
        --model partial=runs/taughtnet/tiny/partial --model student=runs/taughtnet/tiny/student

`--help` says more; the function is `hf_bionerkd.runs.compare.compare`, and `bionerkd compare` the same program.
"""

from functools import partial

from hf_bionerkd.runs import compare

main = partial(compare.main, program="python recipes/compare.py")

if __name__ == "__main__":
    main()
