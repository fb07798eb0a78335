"""Benchmark of training a BiLSTM-CRF: against a plain one with pytorch-crf, and how a step's time is spent.

    pip install "pytorch-crf==0.7.2"
    python recipes/bench_bilstm.py
    BIONERKD_CORPORA=... python recipes/bench_bilstm.py     # on BC5CDR's training sentences
    python recipes/bench_bilstm.py --threads 2 --batch 64
    python recipes/bench_bilstm.py --unseen 80000           # as with pretrained vectors of 80,000 more words

The plain model has the same sizes: 100-d word vectors, a character CNN of 50 filters over the characters of every
word, dropout, `torch.nn.LSTM` of 2 x 200 over packed sequences, two linear layers, pytorch-crf. Both take the same
sentences in the same batches, with the same optimizer, in turns. The program prints words per second (median) and the
ratio turn by turn. With one thread the time is processor time, which other programs disturb least. Batches are tensors
before the clock starts, so the cost of making them is not measured.

"Parts" are the modules of this package's model alone, forward and backward, on the inputs of a step: the LSTM is the
floor. "Sorted" is the same training on batches of sentences of similar length.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from hf_bionerkd.encoding.word_vocabulary import WordVocabulary
    from hf_bionerkd.labels import LabelSpace
    from hf_bionerkd.models.bilstm_crf import BiLstmCrfForTokenClassification

STEPS = 8  # per turn
SENTENCES = 4_500  # sentences that the vocabulary is made of
LAST_LABEL = 4  # O
SIZES = {"words": 100, "characters": 30, "filters": 50, "hidden": 200, "head": 200, "dropout": 0.5}


def main() -> None:
    """Print the comparison, the parts of a step, and what sorting by length gains."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32, help="sentences per step")
    parser.add_argument("--turns", type=int, default=11, help="pairs of timings")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--unseen", type=int, default=0, help="words with vectors that do not occur in the text")
    options = parser.parse_args()

    import torch

    try:
        import torchcrf
    except ImportError:
        sys.exit('this comparison needs pytorch-crf: pip install "pytorch-crf==0.7.2"')

    from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
    from hf_bionerkd.labels import LabelSpace

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    source, corpus = _sentences()
    space = LabelSpace(("Chemical", "Disease"))
    unseen = (f"unseen{number}" for number in range(options.unseen))
    vocabulary = build_word_vocabulary((words for words, _ in corpus), vector_words=unseen)
    sentences = corpus[: STEPS * options.batch]
    words = sum(len(words) for words, _ in sentences) / len(sentences)
    print(f"torch {torch.__version__}, {options.threads} thread(s), batch {options.batch}, {options.turns} turns")
    print(f"{source}: {words:.1f} words per sentence, {len(vocabulary.words)} word vectors")

    # The same sentences in two orders: mixed lengths, and sorted, so that batches hold little padding.
    mixed = _batches(sentences, options.batch, vocabulary, space)
    by_length = sorted(sentences, key=lambda sentence: len(sentence[0]))
    ordered = _batches(by_length, options.batch, vocabulary, space)
    ours = _Training(_our_model(vocabulary, space), lambda model, batch: model(**batch["ours"]).loss)
    plain = _Training(_plain_model(torchcrf.CRF, vocabulary, space), lambda model, batch: model(**batch["plain"]))

    first, second = _turns(partial(plain.steps, mixed), partial(ours.steps, mixed), options.turns)
    _report("plain, pytorch-crf", first, mixed)
    _report("this package", second, mixed)
    _print_ratio("ratio", first, second)

    print("parts of this package's step, ms (share of the step):")
    step = 1000 * statistics.median(second) / len(mixed)
    parts = ours.parts(mixed)
    for name, seconds in parts.items():
        print(f"  {name:24} {1000 * seconds:6.1f} ({100 * 1000 * seconds / step:3.0f} %)")
    print(f"  {'all else':24} {step - 1000 * sum(parts.values()):6.1f}")
    print(f"  {'whole step':24} {step:6.1f}")

    for name, training in (("plain", plain), ("this package", ours)):
        first, second = _turns(partial(training.steps, mixed), partial(training.steps, ordered), options.turns)
        _print_ratio(f"sorted by length, {name}: gain", first, second)


class _Training:
    """A model with its optimizer and a way to its loss."""

    def __init__(self, model: Any, loss: Callable[[Any, Any], Any]) -> None:
        import torch

        self.model = model.train()
        self.loss = loss
        self.optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)

    def steps(self, batches: Iterable[Any]) -> None:
        """Make one optimizer step per batch."""
        for batch in batches:
            self.optimizer.zero_grad()
            self.loss(self.model, batch).backward()
            self.optimizer.step()

    def parts(self, batches: Sequence[Any]) -> dict[str, float]:
        """Return seconds per step of the model's modules alone, forward and backward, and of the optimizer."""
        import torch

        model = self.model
        modules = {
            "LSTM": model.encoder.layers[0],
            "character CNN": model.encoder.characters,
            "two linear layers": model.classifier,
        }
        seconds = dict.fromkeys([*modules, "CRF", "optimizer"], 0.0)
        for batch in batches:
            # A whole forward pass gives each module's real inputs; then each module is timed alone.
            given = dict.fromkeys(modules, ())
            hooks = [
                module.register_forward_hook(partial(_keep_inputs, given, name)) for name, module in modules.items()
            ]
            output = model(**batch["ours"])
            for hook in hooks:
                hook.remove()
            for name, module in modules.items():
                inputs = [value.detach() for value in given[name]]
                inputs = [value.requires_grad_() if value.is_floating_point() else value for value in inputs]
                seconds[name] += _best(partial(_there_and_back, module, *inputs))
            emissions = output.emissions.detach().requires_grad_()
            tags = torch.full_like(output.word_mask, LAST_LABEL, dtype=torch.long)
            seconds["CRF"] += _best(
                partial(_there_and_back, model.crf.log_likelihood, emissions, tags, output.word_mask)
            )
            output.loss.backward()
            seconds["optimizer"] += _best(self.optimizer.step)
        return {name: total / len(batches) for name, total in seconds.items()}


def _keep_inputs(kept: dict[str, Any], name: str, _: Any, inputs: Any, output: Any) -> None:
    """Keep the inputs of a module, as a forward hook."""
    kept[name] = inputs


def _there_and_back(run: Callable[..., Any], *inputs: Any) -> None:
    """Run forward and backward."""
    run(*inputs).sum().backward()


def _sentences() -> tuple[str, list[tuple[list[str], list[str]]]]:
    """Return the name of the source, and words and tags of sentences: BC5CDR's if it is there, else invented ones."""
    folder = os.environ.get("BIONERKD_CORPORA")
    if folder:
        from hf_bionerkd.corpora.conll import read_conll
        from hf_bionerkd.labels import spans_to_tags, word_spans

        path = Path(folder) / "conll" / "BC5CDR" / "train.tsv"
        documents = list(read_conll(path, name="bc5cdr"))
        random.Random(0).shuffle(documents)
        return "BC5CDR", [(doc.tokens, spans_to_tags(word_spans(doc)[0], len(doc.words))) for doc in documents]
    # Invented words with frequencies and lengths like those of natural text, since both change what a step costs.
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    names = ["".join(draw.choices(letters, range(26, 0, -1), k=draw.randint(1, 13))) for _ in range(15_000)]
    weights = [1 / (rank + 3) for rank in range(len(names))]
    made = []
    for _ in range(SENTENCES):
        words = draw.choices(names, weights, k=max(3, min(100, round(draw.lognormvariate(3.1, 0.5)))))
        tags = ["O"] * len(words)
        for start in range(draw.randint(0, 9), len(words) - 1, draw.randint(5, 12)):
            tags[start : start + 2] = ["B-Chemical", "I-Chemical"] if draw.random() < 0.5 else ["B-Disease", "O"]
        made.append((words, tags))
    return "made-up sentences", made


def _batches(
    sentences: Sequence[tuple[list[str], list[str]]], size: int, vocabulary: WordVocabulary, space: LabelSpace
) -> list[dict[str, Any]]:
    """Return inputs of both models for the same sentences."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    known = sorted({character for words, _ in sentences for word in words for character in word})
    alphabet = {character: index for index, character in enumerate(known, 1)}
    rows = {word: row for row, word in enumerate(vocabulary.words)}
    made = []
    for start in range(0, len(sentences), size):
        part = sentences[start : start + size]
        encoded = vocabulary.tokenizer(
            [words for words, _ in part], is_split_into_words=True, padding=True, return_tensors="pt"
        )
        # Labels of pieces for this package's model, which reads those of first pieces.
        tags = [torch.tensor([space.label2id[tag] for tag in tags]) for _, tags in part]
        labels = torch.full_like(encoded["input_ids"], -100)
        for row, own in enumerate(tags):
            for piece, word in enumerate(encoded.word_ids(row)):
                if word is not None:
                    labels[row, piece] = own[word]
        # Characters of words for the plain model, padded to the longest word of the batch.
        lengths = torch.tensor([len(words) for words, _ in part])
        characters = [
            pad_sequence([torch.tensor([alphabet[c] for c in word[:30]]) for word in words], batch_first=True)
            for words, _ in part
        ]
        longest = max(block.shape[1] for block in characters)
        characters = [torch.nn.functional.pad(block, (0, longest - block.shape[1])) for block in characters]
        made.append(
            {
                "words": int(lengths.sum()),
                "ours": {**encoded, "labels": labels},
                "plain": {
                    "words": pad_sequence(
                        [torch.tensor([rows.get(word.lower(), 0) for word in words]) for words, _ in part],
                        batch_first=True,
                    ),
                    "characters": pad_sequence(characters, batch_first=True),
                    "lengths": lengths,
                    "tags": pad_sequence(tags, batch_first=True),
                },
            }
        )
    return made


def _our_model(vocabulary: WordVocabulary, space: LabelSpace) -> BiLstmCrfForTokenClassification:
    """Return this package's model."""
    from hf_bionerkd.models.bilstm_crf import BiLstmCrfForTokenClassification
    from hf_bionerkd.models.configuration import BiLstmCrfConfig

    model = BiLstmCrfForTokenClassification(
        BiLstmCrfConfig(
            id2label=space.id2label,
            word_embedding_size=SIZES["words"],
            character_embedding_size=SIZES["characters"],
            character_filters=SIZES["filters"],
            hidden_size=SIZES["hidden"],
            head_size=SIZES["head"],
            dropout=SIZES["dropout"],
        )
    )
    model.set_vocabulary(vocabulary.tables)
    return model


def _plain_model(crf: Any, vocabulary: WordVocabulary, space: LabelSpace) -> nn.Module:
    """Return the model that one would write first."""
    import torch
    from torch import nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(len(vocabulary.words), SIZES["words"])
            self.characters = nn.Embedding(200, SIZES["characters"], padding_idx=0)
            self.convolution = nn.Conv1d(SIZES["characters"], SIZES["filters"], 3, padding=1)
            self.dropout = nn.Dropout(SIZES["dropout"])
            self.lstm = nn.LSTM(
                SIZES["words"] + SIZES["filters"], SIZES["hidden"], batch_first=True, bidirectional=True
            )
            self.head = nn.Sequential(
                nn.Linear(2 * SIZES["hidden"], SIZES["head"]), nn.Tanh(), nn.Linear(SIZES["head"], len(space))
            )
            self.crf = crf(len(space), batch_first=True)

        def forward(self, words: Any, characters: Any, lengths: Any, tags: Any) -> Any:
            batch, longest, letters = characters.shape
            embedded = self.characters(characters.view(-1, letters)).transpose(1, 2)
            spelled = self.convolution(embedded).amax(2).view(batch, longest, -1)
            inputs = self.dropout(torch.cat([self.words(words), spelled], 2))
            packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
            hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
            emissions = self.head(self.dropout(hidden))
            mask = torch.arange(longest) < lengths[:, None]
            return -self.crf(emissions, tags, mask, reduction="mean")

    return Plain()


def _clock() -> float:
    """Return processor time with one thread, else the time of day."""
    import torch

    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def _turns(first: Callable[[], Any], second: Callable[[], Any], turns: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each for each of several turns; who begins alternates."""
    first(), second()  # warm-up
    times: dict[Any, list[float]] = {first: [], second: []}
    for turn in range(turns):
        for run in (first, second) if turn % 2 == 0 else (second, first):
            start = _clock()
            run()
            times[run].append(_clock() - start)
    return times[first], times[second]


def _best(run: Callable[[], Any]) -> float:
    """Return the seconds of the best of three runs."""
    seconds = []
    for _ in range(3):
        start = _clock()
        run()
        seconds.append(_clock() - start)
    return min(seconds)


def _report(name: str, seconds: Sequence[float], batches: Sequence[dict[str, Any]]) -> None:
    """Print the median speed."""
    words = sum(batch["words"] for batch in batches)
    print(f"{name + ':':24} {words / statistics.median(seconds):7.0f} words/s")


def _print_ratio(name: str, slow: Sequence[float], fast: Sequence[float]) -> None:
    """Print the median and the range of the ratios, turn by turn."""
    ratios = sorted(a / b for a, b in zip(slow, fast, strict=True))
    print(f"{name}: median {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
