"""Build JNLPBA as Parquet with a card, so that `load_dataset` loads it.

Commands, where the folder holds train.tsv, devel.tsv and test.tsv:

    python dataset_scripts/jnlpba/build.py --source <folder> --output data/jnlpba
    python dataset_scripts/jnlpba/build.py --source <folder> --output data/jnlpba --push ORG/JNLPBA
"""

from hf_bionerkd.data.conll_corpus import ConllScript

script = ConllScript(__file__, __doc__)
build, main = script.build, script.main

if __name__ == "__main__":
    main()
