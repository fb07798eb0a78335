"""Build DRA, CDWA's diseases with re-corrected labels, from a finished run of `recipes/recorrect.py`.

Commands; the first makes the run, the second takes its labels (``--push ORG/dra`` pushes them):

    accelerate launch --quiet recipes/recorrect.py --config recipes/zhou2021/recorrect_dra.yaml
    python dataset_scripts/dra/build.py --config recipes/zhou2021/recorrect_dra.yaml --output data/dra
"""

from hf_bionerkd.runs.recorrected_corpus import RecorrectedScript

script = RecorrectedScript(__file__, __doc__)
build, main = script.build, script.main

if __name__ == "__main__":
    main()
