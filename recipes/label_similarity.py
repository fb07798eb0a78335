r"""How alike two models label the same abstracts, or two labelled corpora: a histogram as numbers and as a figure.

    python recipes/label_similarity.py --corpus data/cdwc --first T_c=runs/zhou2021/recorrect_cdrc/model \
        --second T_a=runs/zhou2021/recorrect_cdra/model --limit 3000 --output runs/zhou2021/similarity
    python recipes/label_similarity.py --corpora data/cdwc runs/zhou2021/recorrect_cdrc/corpus \
        --output runs/zhou2021/similarity_cdrc

`--help` says more; the function is `hf_bionerkd.runs.label_similarity.label_similarity`, and `bionerkd
label-similarity` the same program.
"""

from functools import partial

from hf_bionerkd.runs import label_similarity

main = partial(label_similarity.main, program="python recipes/label_similarity.py")

if __name__ == "__main__":
    main()
