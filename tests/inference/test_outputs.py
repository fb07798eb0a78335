"""What outputs mean, against the pipeline's own grouping, against seqeval's readings, and by worked examples."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_bionerkd.inference.outputs import FLOOR, CrfOutputs, SoftmaxOutputs, TypeMapping, WordOutputs, output_layer_of
from hf_bionerkd.labels import LabelError, LabelSpace, spans_to_tags
from hf_bionerkd.models.pipelines import TextPieces, _groups

BIO = ("O", "B-Gene", "I-Gene", "B-Disease", "I-Disease")  # not in the order of a label space
SCHEMES = {
    "BIO": BIO,
    "IO": ("I-Gene", "O", "I-Disease"),
    "IOBES": ("B-G", "I-G", "E-G", "S-G", "B-D", "I-D", "E-D", "S-D", "O"),
    "BILOU": ("O", "B-G", "I-G", "L-G", "U-G"),
}


def outputs(tags, labels=BIO, seed=0):
    """Outputs that have decided on these label ids, with a distribution of any kind."""
    draw = np.random.default_rng(seed)
    probs = draw.dirichlet(np.ones(len(labels)), len(tags)).reshape(-1, len(labels))
    log_probs = np.log(probs).astype(np.float32)
    return WordOutputs(log_probs, np.asarray(tags, dtype=np.int64), log_probs)


@given(tags=st.lists(st.integers(0, 4), max_size=12))
def test_the_lenient_reading_is_what_the_published_pipeline_groups(tags):
    own = outputs(tags)
    layer = SoftmaxOutputs(BIO)
    # One letter per word, so that offsets are word indices.
    text = "x" * len(tags)
    numbers = list(range(len(tags)))
    pieces = TextPieces(text, numbers, numbers, [(place, place + 1) for place in numbers], [], [])
    labels = [BIO[tag] for tag in tags]
    scores = [float(np.exp(own.log_probs[word, tag])) for word, tag in enumerate(tags)]
    groups = [group for group in _groups(pieces, labels, scores) if group["entity_group"] != "O"]
    spans = layer.spans(own).lenient
    assert [(group["start"], group["end"], group["entity_group"]) for group in groups] == spans
    assert [group["score"] for group in groups] == pytest.approx(layer.scores(own, spans), rel=1e-5)


@pytest.mark.parametrize("labels", SCHEMES.values(), ids=SCHEMES)
def test_spans_come_back_from_any_scheme_and_order_of_labels(labels):
    layer = SoftmaxOutputs(labels)
    kinds = layer.types
    spans = [(0, 1, kinds[0]), (2, 5, kinds[-1]), (6, 8, kinds[0])]
    tags = spans_to_tags(spans, 9, layer.space.scheme)
    renamed = {"E": "L", "S": "U"} if "L-G" in labels else {}
    ids = [labels.index(renamed.get(tag[0], tag[0]) + tag[1:]) for tag in tags]
    found = layer.spans(outputs(ids, labels))
    assert found.strict == found.lenient == spans


def test_what_the_scheme_forbids_is_dropped_or_opens_a_mention():
    layer = SoftmaxOutputs(BIO)
    read = layer.spans(outputs([2, 2, 0, 1, 4]))  # I-Gene I-Gene O B-Gene I-Disease
    assert read.strict == [(3, 4, "Gene")]
    assert read.lenient == [(0, 2, "Gene"), (3, 4, "Gene"), (4, 5, "Disease")]


def test_words_without_a_piece_are_certainly_outside():
    layer = SoftmaxOutputs(BIO)
    certain = layer.certainly_outside(2)
    assert certain.tags.tolist() == [0, 0] and certain.log_probs.tolist() == [[0.0, *[FLOOR] * 4]] * 2
    assert layer.spans(certain).lenient == []


@pytest.mark.parametrize(("output_layer", "kind"), [(None, "softmax"), ("softmax", "softmax"), ("crf", "marginal")])
def test_the_configuration_says_what_outputs_mean(output_layer, kind):
    config = SimpleNamespace(num_labels=3, id2label={0: "O", 1: "B-Gene", 2: "I-Gene"})
    if output_layer is not None:
        config.output_layer = output_layer
    layer = output_layer_of(config)
    assert layer.kind == kind and isinstance(layer, CrfOutputs) is (kind == "marginal")
    assert layer.space == LabelSpace(("Gene",)) and layer.outside == 0


def test_labels_without_a_scheme_are_refused():
    with pytest.raises(LabelError, match="LABEL_0"):
        output_layer_of(SimpleNamespace(num_labels=2, id2label={0: "LABEL_0", 1: "LABEL_1"}))


def test_types_are_renamed_and_left_out():
    mapping = TypeMapping(SoftmaxOutputs(BIO), {"Gene": "Protein"})
    mapped = mapping.outputs(outputs([1, 2, 3, 0, 2]))
    assert mapping.space.labels == ("B-Protein", "I-Protein", "O")
    assert mapped.tags.tolist() == [0, 1, 2, 2, 1]
    assert mapping.spans(mapped).strict == [(0, 2, "Protein")]
    assert mapping.spans(mapped).lenient == [(0, 2, "Protein"), (4, 5, "Protein")]
    np.testing.assert_allclose(np.exp(mapped.log_probs).sum(axis=1), 1, atol=1e-5)
    both = TypeMapping(SoftmaxOutputs(BIO), {"Gene": "X", "Disease": "X"})
    assert both.space.labels == ("B-X", "I-X", "O")
