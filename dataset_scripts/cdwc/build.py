"""Build CDWC, the weak corpus for coverage, as Parquet with a card, so that `load_dataset` loads it.

Commands; the second pushes what it builds, the third takes the first 3,000 abstracts:

    python dataset_scripts/cdwc/build.py --config recipes/zhou2021/weak.yaml --output data/cdwc
    python dataset_scripts/cdwc/build.py --config recipes/zhou2021/weak.yaml --output data/cdwc --push ORG/cdwc
    python dataset_scripts/cdwc/build.py --config recipes/zhou2021/weak.yaml --output data/cdwc_3000 limit=3000
"""

from hf_bionerkd.runs.weak_corpus import WeakScript

script = WeakScript(__file__, __doc__, "coverage")
build, main = script.build, script.main

if __name__ == "__main__":
    main()
