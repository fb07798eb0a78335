r"""Show sentences under several labellings: before and after re-correction, or as teachers and student label them.

    python recipes/case_study.py corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --most-changed 5 --html cases.html
    python recipes/case_study.py corpora --before data/cdwc --after runs/zhou2021/recorrect_cdrc/corpus \
        --id cohen2006:ADHD:1:2
    python recipes/case_study.py models --corpus data/bc5cdr --model T_c=runs/zhou2021/recorrect_cdrc/model \
        --model T_a=runs/zhou2021/recorrect_cdra/model --model student=runs/zhou2021/student/student --disagreements 5

`--help` says more; the function is `hf_bionerkd.runs.show_cases.show_cases`, and `bionerkd case-study` the same
program.
"""

from functools import partial

from hf_bionerkd.runs import show_cases

main = partial(show_cases.main, program="python recipes/case_study.py")

if __name__ == "__main__":
    main()
