import json
import logging
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tiny
from datasets import Dataset

from hf_bionerkd.inference.outputs import WordOutputs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.processes import Processes
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes
from hf_bionerkd.teachers.cached import CachedJointTargets, CacheError, WordArrays, cache_teacher, sentence_keys
from hf_bionerkd.teachers.online import OnlineJointTargets
from hf_bionerkd.teachers.teacher import Teacher

TYPES = ("Disease", "Gene")
SPACE = LabelSpace(TYPES)
PART = 6  # 20 sentences make three full parts and a short one


class Killed(Exception):
    pass


class FakeTeacher:
    """Distributions drawn from a hash of the words, and a list of what it was asked."""

    kind = "softmax"

    def __init__(self, kind="Gene", revision="1", fail_after=None, certain=None):
        self.name, self.commit = f"fake-{kind}", None
        self.path = "nowhere"
        self.space = LabelSpace((kind,))
        self.covers = TeacherTypes(self.name, (kind,))
        self.revision, self.fail_after, self.certain = revision, fail_after, certain
        self.asked = []

    def settings(self):
        return {"revision": self.revision, "types": list(self.space.types), "max_length": None, "overlap": None}

    def log_probs(self, sentences):
        if self.fail_after is not None and len(self.asked) >= self.fail_after:
            raise Killed
        self.asked += sentences
        found = []
        for words in sentences:
            seeds = [sum(word.encode()) + len(self.space.types[0]) for word in words]
            scores = np.array([np.random.default_rng(seed).normal(0, 4, 3) for seed in seeds]).reshape(-1, 3)
            if self.certain is not None:
                scores[:, self.certain] = 200.0
            found.append((scores - np.logaddexp.reduce(scores, axis=1)[:, None]).astype(np.float32))
        return found

    def outputs(self, sentences):
        return [WordOutputs(own, own.argmax(axis=1), own) for own in self.log_probs(sentences)]


class FakeCrf(FakeTeacher):
    """One whose best path and emissions are not what its marginals say."""

    kind = "marginal"

    def outputs(self, sentences):
        return [WordOutputs(own, own.argmin(axis=1), own[:, ::-1]) for own in self.log_probs(sentences)]


def dataset(count=20, seed="cache"):
    return Dataset.from_dict({"tokens": [*tiny.tokens(count - 1, seed), []]})


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill(teacher, rows, folder, **options):
    return cache_teacher(teacher, rows, folder, rows_per_part=PART, **options)


def test_a_crf_keeps_marginals_its_best_path_and_its_emissions(tmp_path):
    rows = dataset()
    cache = fill(FakeCrf(), rows, tmp_path)
    plain = fill(FakeTeacher(revision="2"), rows, tmp_path)
    for row, said in enumerate(FakeCrf().outputs(rows["tokens"])):
        np.testing.assert_allclose(cache[row], said.log_probs, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(cache.emissions(row), said.emissions, rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(cache.tags(row), said.tags)
        np.testing.assert_array_equal(plain.emissions(row), plain[row])


def test_outputs_are_stored_to_float16_with_the_teachers_own_tags(tmp_path):
    rows, teacher = dataset(), FakeTeacher()
    cache = fill(teacher, rows, tmp_path)
    expected = FakeTeacher().log_probs(rows["tokens"])
    assert len(cache) == 20 and cache.labels == ("B-Gene", "I-Gene", "O")
    for row, values in enumerate(expected):
        assert cache[row].dtype == np.float16
        np.testing.assert_array_equal(cache[row], values.astype(np.float16))
        np.testing.assert_array_equal(cache.tags(row), values.argmax(axis=1))
    assert [len(found) for found in cache.part(3)] == [len(words) for words in rows["tokens"][18:]]


def test_real_teacher_is_not_even_loaded_when_nothing_changed(tmp_path, monkeypatch):
    path = tiny.save_teacher(tmp_path / "teacher", tiny.bio("Gene"))
    rows = dataset()
    teacher = Teacher(path, name="genes", student_types=TYPES)
    first = fill(teacher, rows, tmp_path / "caches")
    for row in (0, 7, 18):
        np.testing.assert_allclose(first[row], teacher.log_probs([rows[row]["tokens"]])[0], rtol=1e-3, atol=1e-3)

    def unwanted(*_):
        raise AssertionError("the teacher was asked again")

    monkeypatch.setattr(Teacher, "tagger", property(unwanted))
    again = fill(Teacher(path, name="genes", student_types=TYPES), rows, tmp_path / "caches")
    assert again.folder == first.folder
    np.testing.assert_array_equal(again[7], first[7])


def test_real_teacher_is_asked_again_when_weights_types_or_windows_change(tmp_path):
    path = Path(tiny.save_teacher(tmp_path / "teacher", tiny.bio(*TYPES)))
    rows = dataset(8)

    def folder(**spec):
        return fill(Teacher(str(path), name="t", student_types=TYPES, **spec), rows, tmp_path / "caches").folder

    folders = {folder(), folder(types={"Gene": "Gene"}), folder(max_length=32), folder(overlap=2)}
    tiny.save_teacher(path, tiny.bio(*TYPES), seed=1)
    folders.add(folder())
    assert len(folders) == 5 and all((found / "meta.json").exists() for found in folders)


def test_other_sentences_are_computed_anew(tmp_path):
    teacher = FakeTeacher()
    first = fill(teacher, dataset(), tmp_path)
    changed = dataset()["tokens"][:]
    changed[3] = [*changed[3], "."]
    second = fill(teacher, Dataset.from_dict({"tokens": changed}), tmp_path)
    swapped = fill(teacher, Dataset.from_dict({"tokens": changed[::-1]}), tmp_path)
    assert len({first.folder, second.folder, swapped.folder}) == 3
    assert len(teacher.asked) == 60


def test_where_words_divide_matters():
    ab_c, a_bc = Dataset.from_dict({"tokens": [["ab", "c"]]}), Dataset.from_dict({"tokens": [["a", "bc"]]})
    assert sentence_keys(ab_c) != sentence_keys(a_bc)


def test_a_cache_refuses_other_sentences(tmp_path):
    folder = fill(FakeTeacher(), dataset(), tmp_path).folder
    WordArrays(folder, sentence_keys(dataset()))
    for others in (dataset(19), dataset(21), dataset(20, "others"), Dataset.from_dict({"tokens": []})):
        with pytest.raises(CacheError, match="not the .* sentences of this run.*delete"):
            WordArrays(folder, sentence_keys(others))


def test_an_unfinished_or_damaged_cache_is_refused(tmp_path):
    folder = fill(FakeTeacher(), dataset(), tmp_path).folder
    keys = sentence_keys(dataset())
    (folder / "part-00001.arrow").rename(tmp_path / "away")
    with pytest.raises(CacheError, match="part-00001.arrow is missing"):
        WordArrays(folder, keys)
    (tmp_path / "away").rename(folder / "part-00001.arrow")
    (folder / "meta.json").unlink()
    with pytest.raises(CacheError, match="not a finished cache"):
        WordArrays(folder, keys)


def test_a_killed_run_continues_with_the_parts_it_has(tmp_path):
    rows = dataset()
    killed = FakeTeacher(fail_after=2 * PART)
    with pytest.raises(Killed):
        fill(killed, rows, tmp_path / "killed")
    assert len(killed.asked) == 2 * PART
    resumed = FakeTeacher()
    cache = fill(resumed, rows, tmp_path / "killed")
    assert len(resumed.asked) == 20 - 2 * PART
    fill(FakeTeacher(), rows, tmp_path / "whole")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    assert len(cache) == 20


def damage(path, rng):
    content = bytearray(path.read_bytes())
    kind = rng.choice(["flip", "flips", "cut", "empty", "zeros"])
    for _ in range({"flip": 1, "flips": 400}.get(kind, 0)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    if kind == "cut":
        del content[rng.randrange(len(content)) :]
    path.write_bytes({"empty": b"", "zeros": bytes(len(content))}.get(kind, content))


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_part_is_named_and_made_anew(tmp_path, caplog, seed):
    rows, rng = dataset(), random.Random(seed)
    made, _ = targets(tmp_path, rows, [FakeTeacher("Disease"), FakeTeacher("Gene")])
    whole = contents(tmp_path)
    part = rng.choice(sorted(tmp_path.rglob("*.arrow")))
    damage(part, rng)
    assert contents(tmp_path) != whole
    with caplog.at_level(logging.WARNING):
        teachers = [FakeTeacher("Disease"), FakeTeacher("Gene")]
        again, _ = targets(tmp_path, rows, teachers)
    assert f"{part} is damaged: it is made anew" in caplog.text
    assert contents(tmp_path) == whole
    of_teacher = not part.parent.name.startswith("targets")
    assert sum(len(teacher.asked) for teacher in teachers) <= (PART if of_teacher else 0)
    for before, after in zip(joint(made, range(20)), joint(again, range(20)), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"rows": 19}', '{"rows": ' + "9" * 5000 + "}"])
def test_a_damaged_meta_is_written_anew_from_the_parts(tmp_path, content):
    rows, certain = dataset(), [FakeTeacher("Disease", certain=0), FakeTeacher("Gene", certain=0)]
    made, _ = targets(tmp_path, rows, certain)
    whole = contents(tmp_path)
    for path in tmp_path.rglob("meta.json"):
        path.write_text(content)
        with pytest.raises(CacheError, match=r"meta\.json is damaged"):
            WordArrays(path.parent, sentence_keys(rows))
    again, _ = targets(tmp_path, rows, certain)
    assert contents(tmp_path) == whole and again.words_without_mass == made.words_without_mass > 0


def test_two_processes_share_the_parts_and_write_the_same_files(tmp_path):
    rows = dataset()
    fill(FakeTeacher(), rows, tmp_path / "one")
    barrier = threading.Barrier(2, timeout=30)
    teachers, caches = [FakeTeacher(), FakeTeacher()], [None, None]

    def process(index):
        processes = Processes(index, 2, barrier.wait)
        caches[index] = fill(teachers[index], rows, tmp_path / "two", processes=processes)

    threads = [threading.Thread(target=process, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [len(teacher.asked) for teacher in teachers] == [12, 8]
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    np.testing.assert_array_equal(caches[0][19], caches[1][19])


def test_every_part_opens_as_a_dataset(tmp_path):
    rows = dataset()
    cache = fill(FakeTeacher(), rows, tmp_path)
    parts = sorted(cache.folder.glob("part-*.arrow"))
    row = 0
    for path in parts:
        part = Dataset.from_file(str(path))
        assert part.column_names == ["key", "values", "tags"]
        for found in part:
            assert found["key"] == sentence_keys(rows)[row]
            np.testing.assert_array_equal(np.float16(found["values"]).reshape(-1, 3), cache[row])
            row += 1
    assert (len(parts), row) == (4, 20)


def test_meta_says_what_the_outputs_are_of(tmp_path):
    meta = json.loads((fill(FakeTeacher(), dataset(), tmp_path).folder / "meta.json").read_text())
    assert meta["kind"] == "softmax" and meta["labels"] == ["B-Gene", "I-Gene", "O"]
    assert (meta["rows"], meta["parts"], meta["name"], meta["path"]) == (20, 4, "fake-Gene", "nowhere")


def targets(folder, rows, teachers, **options):
    caches = [fill(teacher, rows, folder) for teacher in teachers]
    aggregator = Aggregator(SPACE, [teacher.covers for teacher in teachers], **options)
    return CachedJointTargets(caches, aggregator, rows, folder), OnlineJointTargets(teachers, aggregator, rows)


def joint(source, indices):
    return [columns["joint_targets"] for columns in source.rows(indices)]


@pytest.mark.parametrize("options", [{}, {"method": "exclusive"}, {"normalise": "softmax"}])
def test_online_targets_equal_cached_ones(tmp_path, options):
    rows = dataset()
    cached, online = targets(tmp_path, rows, [FakeTeacher("Disease"), FakeTeacher("Gene")], **options)
    order = [19, 4, 11, 4, 0]
    for row, stored, fresh in zip(order, joint(cached, order), joint(online, order), strict=True):
        assert stored.shape == (len(rows[row]["tokens"]), 5) and stored.dtype == np.float16
        np.testing.assert_allclose(stored, fresh, atol=4e-3)
        np.testing.assert_allclose(stored.sum(axis=1, dtype=np.float32), 1, atol=2e-3)


def test_a_teacher_given_twice_changes_neither_cached_nor_online_targets(tmp_path):
    """A real one under two names, beside another opinion on the same types and one that shares a type."""
    rows = dataset(12)
    both = tiny.save_teacher(tmp_path / "both", tiny.bio(*TYPES))
    other = tiny.save_teacher(tmp_path / "other", tiny.bio(*reversed(TYPES)), seed=1)
    genes = tiny.save_teacher(tmp_path / "genes", tiny.bio("Gene"), seed=2)
    order = range(len(rows))
    for paths in ([both], [both, other], [both, genes], [genes, both, other]):
        teachers = [Teacher(path, name=f"t{index}") for index, path in enumerate(paths)]
        once = [joint(source, order) for source in targets(tmp_path, rows, teachers)]
        twice = [joint(source, order) for source in targets(tmp_path, rows, [*teachers, Teacher(both, name="again")])]
        for before, after in zip(once, twice, strict=True):
            np.testing.assert_allclose(np.concatenate(after), np.concatenate(before), atol=1e-3)


def test_cached_targets_do_not_ask_teachers_again_and_follow_the_aggregation(tmp_path):
    rows, teachers = dataset(), [FakeTeacher("Disease"), FakeTeacher("Gene")]
    first, _ = targets(tmp_path, rows, teachers)
    for teacher in teachers:
        teacher.fail_after = 0
    same, _ = targets(tmp_path, rows, teachers)
    exclusive, _ = targets(tmp_path, rows, teachers, method="exclusive")
    assert same.arrays.folder == first.arrays.folder != exclusive.arrays.folder
    assert any(
        not np.array_equal(a, b) for a, b in zip(joint(first, range(19)), joint(exclusive, range(19)), strict=True)
    )

    other, _ = targets(tmp_path, rows, [FakeTeacher("Disease"), FakeTeacher("Gene", revision="2")])
    assert other.arrays.folder not in (first.arrays.folder, exclusive.arrays.folder)


def test_words_without_mass_are_counted_and_logged(tmp_path, caplog):
    rows = dataset()
    certain = [FakeTeacher("Disease", certain=0), FakeTeacher("Gene", certain=0)]  # both always say B
    words = sum(map(len, rows["tokens"]))
    for _ in range(2):  # the count survives in the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            cached, online = targets(tmp_path, rows, certain)
        assert cached.words_without_mass == words
        assert f"{words} words have no joint teacher mass" in caplog.text
    with caplog.at_level(logging.WARNING):
        online.rows(range(20))
    assert online.words_without_mass == words
    np.testing.assert_allclose(joint(cached, [0])[0][0], [0.5, 0, 0.5, 0, 0], atol=1e-3)


MEMORY = """
import sys
from pathlib import Path
import numpy as np, torch, transformers
from datasets import Dataset
from hf_bionerkd.inference.outputs import WordOutputs
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.teachers.aggregation import Aggregator, TeacherTypes
from hf_bionerkd.teachers.cached import CachedJointTargets, cache_teacher

class Cheap:
    commit = None
    def __init__(self, kind):
        self.name, self.space, self.path = kind, LabelSpace((kind,)), "-"
    def settings(self):
        return {}
    kind = "softmax"
    def outputs(self, sentences):
        said = [np.full((len(words), 3), np.log(1 / 3), np.float32) for words in sentences]
        return [WordOutputs(own, own.argmax(1), own) for own in said]

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

folder, types = Path(sys.argv[1]), ("Disease", "Gene")
rows = Dataset.load_from_disk(str(folder / "rows"))
for batch in rows.iter(500):
    pass  # the corpus's own pages are in memory before
start = peak()
caches = [cache_teacher(Cheap(kind), rows, folder) for kind in types]
aggregator = Aggregator(LabelSpace(types), [TeacherTypes(kind, (kind,)) for kind in types])
CachedJointTargets(caches, aggregator, rows, folder)
print(start, peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads peak memory from /proc")
def test_four_times_the_corpus_takes_no_more_memory(tmp_path):
    above, total = [], []
    for count in (5_000, 20_000):
        folder = tmp_path / str(count)
        words = tiny.tokens(500)
        Dataset.from_dict({"tokens": [[*words[i % 500], str(i)] for i in range(count)]}).save_to_disk(folder / "rows")
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(folder)],
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        start, peak = map(int, done.stdout.split())
        above.append(peak - start)
        total.append(peak)
    assert total[1] <= 1.1 * total[0], total
    assert above[1] <= 1.1 * above[0] + 512, above  # and half a MiB for keys (8 bytes a sentence)


def test_a_teacher_whose_name_is_a_path_keeps_its_outputs_in_the_cache(tmp_path):
    """In Python a teacher may have any name; configurations refuse such ones."""
    rows = Dataset.from_dict({"tokens": [["a", "b"]] * 3})
    for name in ("../../evil", "/etc/evil", "a/b", "..", "x" * 300):
        teacher = FakeTeacher()
        teacher.name = name
        cache = cache_teacher(teacher, rows, tmp_path / "deep" / "er" / "cache")
        assert cache.folder.parent == tmp_path / "deep" / "er" / "cache"
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
