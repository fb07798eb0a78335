"""Build Species-800 as Parquet with a card, so that `load_dataset` loads it.

Commands, where the folder holds SPECIES_Train.PubTator and SPECIES_Test.PubTator:

    python dataset_scripts/species800/build.py --source <folder> --output data/species800
    python dataset_scripts/species800/build.py --source <folder> --output data/species800 --push ORG/Species-800
"""

from hf_bionerkd.data.conll_corpus import ConllScript

script = ConllScript(__file__, __doc__)
build, main = script.build, script.main

if __name__ == "__main__":
    main()
