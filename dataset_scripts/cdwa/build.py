"""Build CDWA, the weak corpus for accuracy, as Parquet with a card, so that `load_dataset` loads it.

Commands; the second pushes what it builds, the third takes the first 3,000 abstracts:

    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa
    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa --push ORG/cdwa
    python dataset_scripts/cdwa/build.py --config recipes/zhou2021/weak.yaml --output data/cdwa_3000 limit=3000
"""

from hf_bionerkd.runs.weak_corpus import WeakScript

script = WeakScript(__file__, __doc__, "accuracy")
build, main = script.build, script.main

if __name__ == "__main__":
    main()
