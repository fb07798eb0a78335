"""Build NCBI-disease as Parquet with a card, so that `load_dataset` loads it.

Commands, where the folder holds train.tsv, devel.tsv and test.tsv:

    python dataset_scripts/ncbi_disease/build.py --source <folder> --output data/ncbi_disease
    python dataset_scripts/ncbi_disease/build.py --source <folder> --output data/ncbi_disease --push ORG/NCBI-DISEASE
"""

from hf_bionerkd.data.conll_corpus import ConllScript

script = ConllScript(__file__, __doc__)
build, main = script.build, script.main

if __name__ == "__main__":
    main()
