r"""Say what a re-correction made of planted, known noise: misses restored, labels damaged, spurious ones removed.

    data=data/demo_zhou runs=runs/demo_zhou
    python recipes/noise_report.py --output $runs/noise.json \
        --corpus coverage $data/truth/coverage.jsonl $data/coverage $runs/recorrect_c/corpus \
        --corpus accuracy $data/truth/accuracy.jsonl $data/accuracy $runs/recorrect_a/corpus

`--help` says more; the function is `hf_bionerkd.runs.noise_report.noise_report`, and `bionerkd noise-report` the same
program.
"""

from functools import partial

from hf_bionerkd.runs import noise_report

main = partial(noise_report.main, program="python recipes/noise_report.py")

if __name__ == "__main__":
    main()
