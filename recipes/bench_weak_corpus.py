"""Benchmark: building a weak corpus (speed, memory), its labels against gold ones, and sentence splitters.

    python recipes/bench_weak_corpus.py                                   # 5,000, 20,000 and all abstracts
    python recipes/bench_weak_corpus.py --sizes 500 1000                  # a quick look
    python recipes/bench_weak_corpus.py --start                           # what a build begins with: made, and kept
    python recipes/bench_weak_corpus.py --gold                            # weak labels of BC5CDR's train and dev sets
    python recipes/bench_weak_corpus.py --sentences                       # agreement with BC5CDR, and speed

The first builds CDWC over every abstract of the configuration (no association required) from the sources to Parquet
and card, once per size, each in a fresh process. It prints the cost of the start (gold standards, dictionary, joined
tables), the abstracts per second after it, those with it, and the peak resident set: of a process that only labels,
and of the one that writes the corpus, where the builder keeps 16 bytes per row. Seconds are of the processor (all
threads together), which other programs disturb least. Nothing is kept between these builds.

The second measures the start alone, up to the first sentence: without a folder to keep dictionary, gold standards and
associations in, with an empty one, and with that one again.

The third labels BC5CDR's training and development abstracts (never its test abstracts) as if they were unlabelled and
scores both views against their gold mentions: exact span and type. The configuration's lexicon was chosen on the
training set. These abstracts are in CTD but have no MeSH headings, so the recall of the view "accuracy" is that of CTD
only.

The fourth compares our sentences with those of the BC5CDR corpus (its CoNLL edition's, on the PubTator edition's
text), and with those of pysbd and syntok where these are installed, in alternating turns. A cut is right where it
falls between the same two letters or digits.

All four need the real corpora below $BIONERKD_CORPORA.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from pathlib import Path

HERE = Path(__file__).resolve()
CONFIG = HERE.parent / "zhou2021" / "weak.yaml"
SIZES = [5_000, 20_000, 1_000_000]
SPLITS = {"train": ("CDR_TrainingSet", "train"), "dev": ("CDR_DevelopmentSet", "devel")}
Splitter = Callable[[str], Iterable[tuple[int, int]]]


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default=str(CONFIG), help="YAML file of the weak corpus")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="abstracts (more than there are: all)")
    parser.add_argument(
        "--start", action="store_true", help="measure the start, with and without what is kept, instead"
    )
    parser.add_argument("--gold", action="store_true", help="score weak labels on BC5CDR's train and dev instead")
    parser.add_argument("--sentences", action="store_true", help="compare sentence splitters instead")
    parser.add_argument("--abstracts", type=int, default=200, help="abstracts per turn and splitter (default: 200)")
    parser.add_argument("--turns", type=int, default=3, help="alternating turns per splitter (default: 3)")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--labels", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not os.environ.get("BIONERKD_CORPORA"):
        parser.exit(1, "set BIONERKD_CORPORA to the folder of the real corpora\n")
    if arguments.sentences:
        compare_splitters(arguments.abstracts, arguments.turns)
    elif arguments.gold:
        score_labels(arguments.config)
    elif arguments.start:
        compare_starts(arguments.config, arguments.turns)
    elif arguments.one:
        print(json.dumps((label if arguments.labels else build)(arguments.config, arguments.one, arguments.cache)))
    else:
        for size in arguments.sizes:
            report(arguments.config, size)


def report(config: str, size: int) -> None:
    """Build one size, and only label it, each in a process of its own, and print a line."""
    command = [sys.executable, str(HERE), "--config", config, "--one", str(size)]
    built = run(command)
    labelling = run([*command, "--labels"])["memory"]
    after = built["abstracts"] / (built["seconds"] - built["start"])
    print(
        f"{built['abstracts']:>7,} abstracts, {built['sentences']:>8,} sentences: start {built['start']:.0f} s, then "
        f"{after:,.0f} abstracts/s ({built['abstracts'] / built['seconds']:,.0f} with the start); memory at the start "
        f"{built['memory_at_start']:,.0f} MiB, peak {labelling:,.0f} MiB for labels alone, "
        f"{built['memory']:,.0f} MiB with the files",
        flush=True,
    )


def compare_starts(config: str, turns: int) -> None:
    """Print the seconds up to the first sentence, in alternating turns of three builds."""
    seconds: dict[str, list[float]] = {"nothing kept": [], "first build": [], "second build": []}
    command = [sys.executable, str(HERE), "--config", config, "--one", "1"]
    for _ in range(turns):
        with tempfile.TemporaryDirectory() as folder:
            for name, measured in seconds.items():
                cache = [] if name == "nothing kept" else ["--cache", folder]
                measured.append(run([*command, *cache])["start"])
    for name, measured in seconds.items():
        print(f"start, {name:13} {statistics.median(measured):5.1f} s ({min(measured):.1f} to {max(measured):.1f})")
    ratios = [before / after for before, after in zip(seconds["nothing kept"], seconds["second build"], strict=True)]
    print(f"ratio of nothing kept to the second build: {statistics.median(ratios):.1f}")


def run(command: list[str]) -> dict[str, float]:
    """Run a child process of this script; return what it measured."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    measured: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


def label(config: str, size: int, cache: str | None) -> dict[str, float]:
    """Label one size without keeping the sentences."""
    from hf_bionerkd.weak.building import WeakCorpus
    from hf_bionerkd.weak.settings import load_weak_config

    with WeakCorpus(load_weak_config(config, limit=size, require_association=False, cache=cache)) as corpus:
        for _ in corpus.sentences("coverage"):
            pass
    return {"memory": peak()}


def build(config: str, size: int, cache: str | None) -> dict[str, float]:
    """Build CDWC of one size into a temporary folder."""
    from hf_bionerkd.data.builders import build_corpus
    from hf_bionerkd.data.corpus_card import load_card
    from hf_bionerkd.documents import Document
    from hf_bionerkd.weak.building import WeakCorpus
    from hf_bionerkd.weak.settings import load_weak_config

    measured: dict[str, float] = {"sentences": 0}
    begin = time.process_time()

    def counted(sentences: Iterator[Document]) -> Iterator[Document]:
        # The start is over when the first sentence comes.
        for sentence in sentences:
            if not measured["sentences"]:
                measured["start"], measured["memory_at_start"] = time.process_time() - begin, peak()
            measured["sentences"] += 1
            yield sentence

    card, _ = load_card(HERE.parents[1] / "dataset_scripts" / "cdwc" / "card.yaml")
    settings = load_weak_config(config, limit=size, require_association=False, cache=cache)
    with tempfile.TemporaryDirectory() as folder, WeakCorpus(settings) as corpus:
        splits = {"train": counted(corpus.sentences("coverage"))}
        build_corpus(Path(folder) / "cdwc", splits, settings.types, card, corpus.sources, set_aside=corpus.set_aside)
        measured["abstracts"] = corpus.counts["abstracts"]
    return measured | {"seconds": time.process_time() - begin, "memory": peak()}


def peak() -> float:
    """Return the largest resident set of this process so far, in MiB."""
    # macOS counts in bytes, Linux in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def score_labels(config: str) -> None:
    """Print precision, recall and F1 of the weak labels of abstracts whose mentions are known."""
    from hf_bionerkd.corpora.pubtator import read_pubtator
    from hf_bionerkd.evaluation.entities import EntityScorer
    from hf_bionerkd.weak.building import WeakCorpus
    from hf_bionerkd.weak.settings import load_weak_config

    for split, (name, _) in SPLITS.items():
        file = f"gold/bc5cdr/{name}.PubTator.txt"
        gold = {d.id: {(m.start, m.end, m.type) for m in d.mentions} for d in read_pubtator(path_of(file))}
        # `given: False` has the gold mentions of the file ignored, as if it were unlabelled text.
        source = {"file": file, "format": "pubtator", "given": False}
        settings = load_weak_config(config, abstracts=[source], leave_out=[], cache=None)
        scorers = {view: EntityScorer(settings.types) for view in ("coverage", "accuracy")}
        with WeakCorpus(settings) as corpus:
            for labels in corpus.abstracts():
                for view, mentions in (("coverage", labels.coverage), ("accuracy", labels.accuracy)):
                    weak = {(mention.start, mention.end, mention.type) for mention in mentions}
                    scorers[view].add(gold[labels.document.id], weak)
        for view, scorer in scorers.items():
            scores = scorer.scores()
            rows = {**scores.per_type, "both": scores.micro}
            line = "; ".join(f"{kind} P {c.precision:.3f} R {c.recall:.3f} F1 {c.f1:.3f}" for kind, c in rows.items())
            print(f"{split}, {view}, {int(corpus.counts['abstracts_labelled_by_dictionary'])} abstracts: {line}")


def path_of(file: str) -> Path:
    """Return the path of a file below $BIONERKD_CORPORA."""
    return Path(os.environ["BIONERKD_CORPORA"]) / file


def compare_splitters(abstracts: int, turns: int) -> None:
    """Print agreement and speed of every installed splitter on the same abstracts, and of ours on all abstracts."""
    splitters = dict(find_splitters())
    for split in SPLITS:
        texts = list(passages_with_cuts(split))
        chosen = texts[: 2 * abstracts]  # a title and an abstract each
        # In alternating turns, so that what else the machine does disturbs all of them alike.
        seconds: dict[str, list[float]] = {name: [] for name in splitters}
        for _ in range(turns):
            for name, splitter in splitters.items():
                begin = time.process_time()
                for text, _ in chosen:
                    list(splitter(text))
                seconds[name].append(time.process_time() - begin)
        print(f"{split}: ours   {agreement(texts, splitters['ours'])} on all {len(texts) // 2} abstracts")
        for name, splitter in splitters.items():
            ratios = [theirs / ours for theirs, ours in zip(seconds[name], seconds["ours"], strict=True)]
            speed = abstracts / statistics.median(seconds[name])
            print(
                f"{split}: {name:6} {agreement(chosen, splitter)} on {len(chosen) // 2}; "
                f"{speed:,.0f} abstracts/s, time {statistics.median(ratios):.1f} of ours "
                f"({min(ratios):.1f} to {max(ratios):.1f})",
                flush=True,
            )


def find_splitters() -> Iterator[tuple[str, Splitter]]:
    """Yield our splitter, and those of others that are installed."""
    from hf_bionerkd.weak.sentences import split_sentences

    yield "ours", split_sentences
    try:
        import pysbd

        segmenter = pysbd.Segmenter(language="en", clean=False)
        yield "pysbd", lambda text: spans_of(segmenter.segment(text))
    except ImportError:
        print("pysbd is not installed: pip install pysbd")
    try:
        from syntok import segmenter as syntok

        def by_syntok(text: str) -> Iterable[tuple[int, int]]:
            sentences = (sentence for paragraph in syntok.process(text) for sentence in paragraph)
            return [(sentence[0].offset, sentence[-1].offset + len(sentence[-1].value)) for sentence in sentences]

        yield "syntok", by_syntok
    except ImportError:
        print("syntok is not installed: pip install syntok")


def spans_of(pieces: list[str]) -> list[tuple[int, int]]:
    """Return the spans of pieces that make up a text."""
    ends = list(accumulate(map(len, pieces)))
    return list(zip([0, *ends], ends, strict=False))


def passages_with_cuts(split: str) -> Iterator[tuple[str, set[int]]]:
    """Yield titles and abstracts, each with its cuts: the number of letters and digits before each."""
    from hf_bionerkd.corpora.conll import read_conll
    from hf_bionerkd.corpora.pubtator import read_pubtator

    name, conll = SPLITS[split]
    sentences = [letters(s.text) for s in read_conll(path_of(f"conll/BC5CDR/{conll}.tsv"), name=split)]
    # Both editions are compared by letters and digits, because they differ in blanks and signs.
    stream, ends = "".join(sentences), set(accumulate(map(len, sentences)))
    for document in read_pubtator(path_of(f"gold/bc5cdr/{name}.PubTator.txt")):
        for passage in document.passages:
            text = document.text[passage.start : passage.end]
            begin, length = stream.find(letters(text)), len(letters(text))
            if begin >= 0:
                yield text, {end - begin for end in ends if begin < end <= begin + length}


def agreement(texts: list[tuple[str, set[int]]], splitter: Splitter) -> str:
    """Return precision, recall and F1 of a splitter's cuts, in words."""
    right = made = wanted = 0
    for text, cuts in texts:
        own = {len(letters(text[:end])) for _, end in splitter(text)}
        right, made, wanted = right + len(own & cuts), made + len(own), wanted + len(cuts)
    precision, recall = right / made, right / wanted
    return f"P {precision:.4f} R {recall:.4f} F1 {2 * precision * recall / (precision + recall):.4f}"


def letters(text: str) -> str:
    """Return the letters and digits of a text."""
    return "".join(filter(str.isalnum, text))


if __name__ == "__main__":
    main()
