"""Build LINNAEUS as Parquet with a card, so that `load_dataset` loads it.

Commands, where the folder holds train.tsv, devel.tsv and test.tsv:

    python dataset_scripts/linnaeus/build.py --source <folder> --output data/linnaeus
    python dataset_scripts/linnaeus/build.py --source <folder> --output data/linnaeus --push ORG/linnaeus
"""

from hf_bionerkd.data.conll_corpus import ConllScript

script = ConllScript(__file__, __doc__)
build, main = script.build, script.main

if __name__ == "__main__":
    main()
