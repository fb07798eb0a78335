"""Train word vectors on unlabelled articles with gensim (`pip install 'hf_bionerkd[vectors]'`), as safetensors.

    python recipes/word_vectors.py --config recipes/zhou2021/word_vectors.yaml
    python recipes/word_vectors.py --config recipes/zhou2021/word_vectors.yaml skip_gram.lowercase=true output_dir=…

`--help` says more; the function is `hf_bionerkd.runs.train_vectors.train_vectors`, and `bionerkd word-vectors` the
same program.
"""

from functools import partial

from hf_bionerkd.runs import train_vectors

main = partial(train_vectors.main, program="python recipes/word_vectors.py")

if __name__ == "__main__":
    main()
