import numpy as np
import tiny
import torch

from hf_bionerkd.inference import speed
from hf_bionerkd.inference.speed import device_name, measure_throughput, some_sentences


class Clock:
    """Stands in for `time`: every call of the model takes two seconds."""

    def __init__(self):
        self.now, self.calls = 100.0, []

    def perf_counter(self):
        return self.now

    def tag(self, sentences):
        self.calls.append(len(sentences))
        self.now += 2.0
        return [np.zeros((len(words), 3)) for words in sentences]


def measured(monkeypatch, sentences, **options):
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    model = torch.nn.Linear(1, 1, dtype=torch.bfloat16)
    model.device, model.dtype = model.weight.device, model.weight.dtype
    return measure_throughput(clock.tag, sentences, model, 4, **options), clock


def test_the_first_call_is_not_counted_and_all_sentences_are_timed_once(monkeypatch):
    sentences = [["a"] * (1 + i % 3) for i in range(70)]
    found, clock = measured(monkeypatch, sentences)
    assert clock.calls == [32, 32, 32, 6]
    assert found.sentences == 70 and found.sentences_per_second == 70 / 6
    assert found.words_per_second == sum(map(len, sentences)) / 6
    assert (found.batch_size, found.precision, found.device) == (4, "bfloat16", device_name(torch.device("cpu")))


def test_a_slow_model_stops_early_and_counts_what_it_did(monkeypatch):
    found, clock = measured(monkeypatch, [["a", "b"]] * 1000, seconds=3.0)
    assert clock.calls == [32, 32, 32]
    assert (found.sentences, found.sentences_per_second, found.words_per_second) == (64, 16.0, 32.0)


def test_fewer_sentences_than_a_call_holds_are_enough(monkeypatch):
    found, clock = measured(monkeypatch, [["a"]])
    assert clock.calls == [1, 1] and found.sentences_per_second == 0.5


def test_the_processor_is_named_with_its_threads():
    threads = torch.get_num_threads()
    name = device_name(torch.device("cpu"))
    assert name.startswith(f"{threads} thread") and len(name.partition(" of ")[2]) > 2


def test_sentences_come_from_the_test_splits_of_all_corpora_and_always_the_same(corpora):
    whole = some_sentences(corpora, 10_000)
    splits = [corpus.splits["test"] for corpus in corpora if "test" in corpus.splits]
    assert sorted(whole) == sorted(words for split in splits for words in split["tokens"])
    few = some_sentences(corpora, 5)
    assert len(few) == 5 and few == some_sentences(corpora, 5) and all(words in whole for words in few)
    assert sum(tiny.SIZES["test"] for _ in splits) == len(whole)
