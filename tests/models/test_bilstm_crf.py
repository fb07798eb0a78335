"""The BiLSTM-CRF: reading words, training, tables that travel with the weights."""

from __future__ import annotations

import copy

import pytest
import tiny
import torch
from transformers import AutoConfig, AutoModelForTokenClassification

from hf_bionerkd.encoding.encoding import WordEncoder
from hf_bionerkd.encoding.tag_pairs import TagPairs, add_tag_tokens
from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
from hf_bionerkd.inference.word_tagger import WordTagger
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models import registration
from hf_bionerkd.models.auto import load_token_classifier
from hf_bionerkd.models.bilstm_crf import BiLstmCrfForTokenClassification
from hf_bionerkd.models.configuration import BiLstmCrfConfig
from hf_bionerkd.models.crf import UNKNOWN
from hf_bionerkd.models.word_outputs import continued_labels, read_words
from hf_bionerkd.models.word_pieces import UNKNOWN_WORD

SPACE = LabelSpace(("Chemical", "Disease"))
SMALL = {
    "word_embedding_size": 8,
    "character_embedding_size": 4,
    "character_filters": 6,
    "hidden_size": 5,
    "head_size": 7,
}

registration.register()


@pytest.fixture(scope="module")
def vocabulary():
    return build_word_vocabulary(tiny.tokens(60))


def make(vocabulary, seed=0, **changes):
    torch.manual_seed(seed)
    config = BiLstmCrfConfig(id2label=SPACE.id2label, label2id=SPACE.label2id, **{**SMALL, **changes})
    model = BiLstmCrfForTokenClassification(config)
    model.set_vocabulary(vocabulary.tables)
    with torch.no_grad():
        model.classifier[-1].weight.mul_(5)
    return model.eval()


def batch_of(vocabulary, *texts):
    return vocabulary.tokenizer(list(texts), padding=True, return_tensors="pt")


def test_words_not_pieces_are_labelled(vocabulary):
    model = make(vocabulary)
    batch = batch_of(vocabulary, "aspirin was given for ibuprofenase", "fever", "")
    output = model(**batch)
    assert output.emissions.shape == (3, 5, 5) and output.word_mask.sum(1).tolist() == [5, 1, 0]
    assert output.logits.shape == (*batch["input_ids"].shape, 5) and output.loss is None
    pieces = len(vocabulary.tokenizer("ibuprofenase")["input_ids"])
    assert pieces > 1 and output.word_index[0].tolist() == [0, 1, 2, 3] + [4] * pieces
    chances = output.logits.softmax(-1)
    words = model.crf.marginals(output.emissions, output.word_mask).exp()
    assert torch.allclose(chances[0, :5], words[0], atol=1e-6)
    # Later pieces carry the word's mention on: B and I together are I.
    later, word = chances[0, 5], words[0, 4]
    for kind in SPACE.types:
        ids = SPACE.ids_of(kind)
        assert later[ids["I"]].item() == pytest.approx((word[ids["B"]] + word[ids["I"]]).item(), abs=1e-6)
        assert later[ids["B"]] < 1e-30
    assert later[SPACE.outside].item() == pytest.approx(word[SPACE.outside].item(), abs=1e-6)


def test_padding_changes_nothing(vocabulary):
    model = make(vocabulary)
    texts = ("aspirin was given for lung cancer", "fever", "no effect of zinc on growthy hormones")
    together = batch_of(vocabulary, *texts)
    together["input_ids"][together["attention_mask"] == 0] = 7  # whatever padding holds
    output = model(**together)
    for row, text in enumerate(texts):
        alone = model(**batch_of(vocabulary, text))
        pieces, words = alone.logits.shape[1], alone.emissions.shape[1]
        assert torch.allclose(output.emissions[row, :words], alone.emissions[0], atol=1e-6)
        assert torch.allclose(output.logits[row, :pieces], alone.logits[0], atol=1e-5)
    left = copy.deepcopy(vocabulary.tokenizer)
    left.padding_side = "left"
    other = model(**left(list(texts), padding=True, return_tensors="pt"))
    assert torch.allclose(other.emissions, output.emissions, atol=1e-6)


def test_words_out_of_the_vocabulary_reach_the_character_cnn(vocabulary):
    model = make(vocabulary)
    one, same, other = (
        model(**batch_of(vocabulary, word)).emissions for word in ("ibuprofenol", "ibuprofenol", "aspirinase")
    )
    assert torch.equal(one, same) and not torch.allclose(one, other, atol=1e-4)
    with torch.no_grad():
        model.encoder.characters.filters.weight.zero_()
    blind = [model(**batch_of(vocabulary, word)).emissions for word in ("ibuprofenol", "aspirinase")]
    assert torch.equal(*blind)  # without their characters, all unknown words are one


def test_case_reaches_the_character_cnn_alone(vocabulary):
    model = make(vocabulary)
    lower, upper = (model(**batch_of(vocabulary, word)).emissions for word in ("aspirin", "ASPIRIN"))
    assert not torch.allclose(lower, upper, atol=1e-4)
    with torch.no_grad():
        model.encoder.characters.filters.weight.zero_()
    assert torch.equal(*(model(**batch_of(vocabulary, word)).emissions for word in ("aspirin", "ASPIRIN")))


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
def test_losses_are_means_or_sums_over_what_the_trainer_counted(vocabulary, output_layer):
    model = make(vocabulary, output_layer=output_layer)
    batch = batch_of(vocabulary, "aspirin was given", "fever", "")
    labels = torch.full_like(batch["input_ids"], UNKNOWN)
    labels[0, :3], labels[1, 0] = torch.tensor([0, 4, 4]), 2
    output = model(**batch, labels=labels)
    words = torch.tensor([[0, 4, 4], [2, UNKNOWN, UNKNOWN], [UNKNOWN] * 3])
    if output_layer == "crf":
        total = -model.crf.log_likelihood(output.emissions, words, output.word_mask).sum()
        mean = total / 2  # of two sentences
    else:
        total = -sum(
            output.emissions[row, word].log_softmax(-1)[words[row, word]]
            for row, word in ((0, 0), (0, 1), (0, 2), (1, 0))
        )
        mean = total / 4  # of four words
    assert output.loss.item() == pytest.approx(mean.item(), rel=1e-5)
    assert model(**batch, labels=labels, num_items_in_batch=10).loss.item() == pytest.approx(total.item() / 10)
    labels[0, 1] = UNKNOWN  # a word that another window answers for
    found = model(**batch, labels=labels).loss
    assert torch.isfinite(found) and found < output.loss * (1 if output_layer == "crf" else 2)


def test_only_the_first_piece_of_a_word_is_learned(vocabulary):
    model = make(vocabulary)
    batch = batch_of(vocabulary, "ibuprofenase zinc")
    labels = torch.full_like(batch["input_ids"], 1)
    labels[0, 0] = 0
    every = model(**batch, labels=labels).loss
    labels[0, 1 : int((model(**batch).word_index == 0).sum())] = UNKNOWN
    assert torch.equal(model(**batch, labels=labels).loss, every)


def test_words_are_read_off_their_first_pieces():
    index = torch.tensor([[-1, 0, 0, 1, -1], [0, 1, 1, 2, 2], [-1, -1, -1, -1, -1]])
    mask = torch.tensor([[True, True, False], [True] * 3, [False] * 3])
    values = torch.arange(15).view(3, 5)
    assert read_words(values, index, mask, UNKNOWN).tolist() == [[1, 3, UNKNOWN], [5, 6, 8], [UNKNOWN] * 3]
    assert continued_labels({0: "O", 1: "I-a-b", 2: "B-a-b", 3: "B-c"}) == [(2, 1)]
    pairs = torch.stack([values, -values], -1).float()
    assert read_words(pairs, index, mask)[1].tolist() == [[5, -5], [6, -6], [8, -8]]


def test_a_softmax_gives_logits_in_training_and_decodes_word_by_word(vocabulary):
    model = make(vocabulary, output_layer="softmax", dropout=0.0, word_dropout=0.0)
    assert model.crf is None
    batch = batch_of(vocabulary, "aspirin was given", "fever")
    logits = model.train()(**batch).logits
    assert logits.requires_grad
    output = model.eval()(**batch)
    assert torch.allclose(logits, output.logits, atol=1e-6)
    tags, scores = model.decode(output.emissions, output.word_mask)
    chances = output.emissions.softmax(-1)
    assert torch.equal(tags[0], chances[0].argmax(-1)) and tags[1, 1:].tolist() == [UNKNOWN] * 2
    assert torch.allclose(scores[0].exp(), chances[0].amax(-1), atol=1e-6)


def test_a_crf_computes_marginals_in_evaluation_or_when_asked(vocabulary):
    model = make(vocabulary)
    batch = batch_of(vocabulary, "aspirin was given")
    assert model(**batch).logits is not None and model(**batch, output_logits=False).logits is None
    model.train()
    assert model(**batch).logits is None
    asked = model(**batch, output_logits=True).logits
    asked.logsumexp(-1).sum().backward()
    assert torch.isfinite(model.classifier[0].weight.grad).all()


def test_it_learns_and_every_weight_takes_part(vocabulary):
    from hf_bionerkd.labels import word_spans

    documents = list(tiny.documents(("Chemical", "Disease"), 40, "learn"))
    model = make(vocabulary, dropout=0.1).train()
    words = [document.tokens for document in documents]
    gold = [SPACE.encode(word_spans(document)[0], len(document.words)) for document in documents]
    encoded = vocabulary.tokenizer(words, is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full_like(encoded["input_ids"], UNKNOWN)
    for row, tags in enumerate(gold):
        for place, word in enumerate(encoded.word_ids(row)):
            if word is not None:
                labels[row, place] = tags[word]
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(60):
        optimizer.zero_grad()
        model(**encoded, labels=labels).loss.backward()
        if step == 0:
            assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())
            assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())
        optimizer.step()
    output = model.eval()(**encoded)
    tags, _ = model.decode(output.emissions, output.word_mask)
    found = [row[: len(own)].tolist() for row, own in zip(tags, gold, strict=True)]
    assert sum(a == b for a, b in zip(found, gold, strict=True)) >= 38


def test_rare_words_are_read_as_unknown_now_and_then_in_training(vocabulary):
    model = make(vocabulary, word_dropout=0.25)
    encoder = model.encoder
    counts = encoder.word_counts
    rare, common = int((counts == counts[counts > 0].min()).nonzero()[0]), int(counts.argmax())
    rows = torch.tensor([rare, common, UNKNOWN_WORD]).repeat(20_000)
    torch.manual_seed(0)
    assert torch.equal(encoder._forget_some(rows), rows)
    encoder.train()
    forgotten = (encoder._forget_some(rows) != rows).view(-1, 3).float().mean(0)
    for place, row in enumerate((rare, common)):
        assert forgotten[place].item() == pytest.approx(0.25 / (0.25 + counts[row].item()), abs=0.01)
    encoder.word_dropout = 0.0
    assert torch.equal(encoder._forget_some(rows), rows)


def test_special_tokens_are_words_with_a_vector_and_without_a_label(vocabulary):
    tags = TagPairs("corpus", {"A": ("Chemical",)}, neutral=True)
    tokenizer = add_tag_tokens(vocabulary.tokenizer, tags)
    model = make(vocabulary)
    plain = batch_of(vocabulary, "aspirin was given")
    before = model(**plain).emissions
    weight = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(len(tokenizer))
    assert model.config.vocab_size == len(tokenizer)
    assert torch.equal(model.get_input_embeddings().weight[: len(weight)], weight)
    assert torch.equal(model(**plain).emissions, before)
    ids = plain["input_ids"][0].tolist()
    emissions = []
    for name in ("A", "all"):
        opening, closing = (tokenizer.convert_tokens_to_ids(side) for side in tags.around(name))
        output = model(torch.tensor([opening + ids + closing]))
        assert output.emissions.shape == before.shape and output.word_index.tolist() == [[-1, 0, 1, 2, -1]]
        emissions.append(output.emissions)
    assert not torch.allclose(*emissions, atol=1e-4) and not torch.allclose(emissions[0], before, atol=1e-4)
    assert model.resize_token_embeddings(len(tokenizer)) is model.get_input_embeddings()
    with pytest.raises(ValueError, match="cannot shrink to 5"):
        model.resize_token_embeddings(5)


def test_the_existing_tagger_reads_it_window_by_window(vocabulary):
    model = make(vocabulary)
    words = [["aspirin", "-", "induced", "hyperthermia", "\u200b", "in", "lung", "cancer", "."] * 3, [], ["fever"]]
    found = WordTagger(model, vocabulary.tokenizer).log_probs(words)
    assert [len(rows) for rows in found] == [27, 0, 1]
    encoded = vocabulary.tokenizer([words[0]], is_split_into_words=True, return_tensors="pt")
    output = model(**encoded)
    marginals = model.crf.marginals(output.emissions, output.word_mask)[0]
    heads = {}
    for place, word in enumerate(encoded.word_ids(0)):
        heads.setdefault(word, place)
    for word, place in heads.items():
        expected = marginals[output.word_index[0, place]].clamp(min=-30)
        assert torch.allclose(torch.tensor(found[0][word]), expected, atol=1e-4)
    windows = WordTagger(model, vocabulary.tokenizer, max_length=16)
    assert len(windows.encoder(words)[0]) > 1
    assert torch.isfinite(torch.tensor(windows.log_probs(words)[0])).all()


def test_a_window_that_opens_inside_a_giant_word_still_has_words(vocabulary):
    model = make(vocabulary)
    words = [["x" + "ab" * 40, "fever"]]
    [windows] = WordEncoder(vocabulary.tokenizer, 16)(words)
    for window in windows:
        output = model(torch.tensor([window.input_ids]))
        assert output.word_mask.all() and output.word_index.min() == 0


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
def test_saved_in_safetensors_and_loaded_by_the_auto_classes_it_is_the_same(vocabulary, tmp_path, output_layer):
    model = make(vocabulary, output_layer=output_layer)
    model.set_word_vectors(torch.randn(len(vocabulary.words), 8))
    model.save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["model.safetensors"]
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert type(loaded) is BiLstmCrfForTokenClassification and not loaded.training
    assert type(AutoConfig.from_pretrained(tmp_path)) is BiLstmCrfConfig
    assert tiny.largest_difference(model.state_dict(), loaded.state_dict()) == 0
    assert {name: value.dtype for name, value in loaded.state_dict().items()} == {
        name: value.dtype for name, value in model.state_dict().items()
    }
    batch = batch_of(vocabulary, "aspirin was given for ibuprofenase", "fever")
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_half_precision_leaves_the_tables_alone(vocabulary, tmp_path):
    model = make(vocabulary)
    model.save_pretrained(tmp_path)
    half = AutoModelForTokenClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert half.encoder.reader.rows.dtype == torch.int32 and half.crf.forbidden.dtype == torch.bool
    batch = batch_of(vocabulary, "aspirin was given")
    assert torch.allclose(half(**batch).logits.exp(), model(**batch).logits.exp(), atol=0.1)


def test_other_labels_get_a_new_head_and_crf_on_the_same_encoder(vocabulary, tmp_path):
    model = make(vocabulary)
    model.save_pretrained(tmp_path)
    for labels in (LabelSpace(("Gene",)), LabelSpace(("Gene", "Species"))):  # another size, and the same size
        loaded = load_token_classifier(str(tmp_path), labels.id2label)
        assert loaded.crf.labels == labels.labels and loaded.config.id2label == labels.id2label
        assert torch.equal(loaded.crf.forbidden, type(model.crf)(labels.labels).forbidden)
        assert tiny.largest_difference(model.encoder.state_dict(), loaded.encoder.state_dict()) == 0
        output = loaded(**batch_of(vocabulary, "aspirin was given"))
        assert output.logits.shape == (1, 3, len(labels)) and torch.isfinite(output.logits).all()


def test_saved_without_its_code_it_names_no_pipeline_that_is_not_there(vocabulary, tmp_path, monkeypatch):
    for kind in (BiLstmCrfForTokenClassification, BiLstmCrfConfig):
        monkeypatch.setattr(kind, "_auto_class", None)
    model = make(vocabulary)
    model.config.custom_pipelines = {
        "token-classification": {"impl": "pipelines.WordTaggingPipeline", "pt": (object,)}
    }
    model.save_pretrained(tmp_path)
    assert "custom_pipelines" not in (tmp_path / "config.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
def test_the_plain_trainer_trains_it_alike_however_batches_are_made(vocabulary, tmp_path, output_layer):
    from datasets import Dataset
    from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments

    texts = ["aspirin was given", "fever", "no effect of zinc on growth hormones", "asthma and gout"]
    encoded = vocabulary.tokenizer(texts)
    rows = Dataset.from_dict({**encoded, "labels": [[4] * (len(ids) - 1) + [0] for ids in encoded["input_ids"]]})

    def trained(batch, accumulation):
        model = make(vocabulary, output_layer=output_layer, dropout=0.0, word_dropout=0.0)
        arguments = TrainingArguments(
            tmp_path,
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=accumulation,
            max_steps=2,
            learning_rate=1e-2,
            use_cpu=True,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            optim="sgd",
            max_grad_norm=0.0,
        )
        trainer = Trainer(
            model,
            arguments,
            data_collator=DataCollatorForTokenClassification(vocabulary.tokenizer),
            train_dataset=rows,
        )
        trainer.train()
        return model, trainer

    before = tiny.weights(make(vocabulary, output_layer=output_layer))
    one, trainer = trained(4, 1)
    assert tiny.largest_difference(before, tiny.weights(one)) > 1e-3
    assert tiny.largest_difference(tiny.weights(one), tiny.weights(trained(2, 2)[0])) < 1e-5
    predicted = trainer.predict(rows)
    assert predicted.predictions.shape == (4, max(map(len, encoded["input_ids"])), 5)
    assert predicted.metrics["test_loss"] > 0


def test_word_vectors_are_taken_where_there_are_any(vocabulary):
    model = make(vocabulary)
    before = model.get_input_embeddings().weight.detach().clone()
    matrix = vocabulary.vector_matrix({"aspirin": [2.0] * 8}, 8)
    assert model.set_word_vectors(matrix) == 1
    row = vocabulary.words.index("aspirin")
    after = model.get_input_embeddings().weight
    assert (after[row] == 2).all() and torch.equal(after[:row], before[:row])
    with pytest.raises(ValueError, match=r"word vectors of shape \(3, 8\), expected"):
        model.set_word_vectors(torch.zeros(3, 8))


@pytest.fixture(scope="module")
def with_unseen_words():
    return build_word_vocabulary(tiny.tokens(60), vector_words=["aspirin", "dasatinib", "unheard"])


def test_words_that_training_does_not_show_are_fixed_and_special_tokens_are_not(with_unseen_words, tmp_path):
    vocabulary = with_unseen_words
    assert vocabulary.words[-2:] == ("dasatinib", "unheard")
    model = make(vocabulary)
    assert model.config.num_fixed_words == 2
    model.set_word_vectors(vocabulary.vector_matrix({word: [2.0] * 8 for word in ("aspirin", "unheard")}, 8))
    ids = vocabulary.tokenizer("aspirin dasatinib unheard", return_tensors="pt")["input_ids"]

    def vectors(model):
        return model.get_input_embeddings()(model.encoder.reader.rows[ids[0]].long())

    before = vectors(model)
    assert (before[[0, 2]] == 2).all() and not (before[1] == 2).any()
    pieces, rows = model.config.vocab_size, model.config.num_words
    emissions = model(ids).emissions
    model.resize_token_embeddings(pieces + 2)
    assert torch.equal(vectors(model), before) and torch.equal(model(ids).emissions, emissions)
    added = model.encoder.reader.rows[-2:].tolist()
    assert added == [rows - 2, rows - 1] and model.get_input_embeddings().num_embeddings == rows
    assert model.encoder.word_counts[added].tolist() == [0, 0] == model.encoder.word_counts[-2:].tolist()
    model.save_pretrained(tmp_path)
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path)
    assert torch.equal(loaded(ids).emissions, emissions)
    assert "encoder.word_vectors.fixed" not in dict(loaded.named_parameters())
    half = AutoModelForTokenClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert torch.allclose(half(ids).emissions.float(), emissions, atol=0.1)


def test_a_vocabulary_that_text_shows_whole_has_one_table(vocabulary):
    model = make(vocabulary)
    assert model.config.num_fixed_words == 0 and "encoder.word_vectors.fixed" not in model.state_dict()


def test_the_seed_decides_the_weights(vocabulary):
    assert tiny.largest_difference(make(vocabulary, 3).state_dict(), make(vocabulary, 3).state_dict()) == 0
    assert tiny.largest_difference(make(vocabulary, 3).state_dict(), make(vocabulary, 4).state_dict()) > 0


@pytest.mark.parametrize("output_layer", ["crf", "softmax"])
def test_trains_under_autocast(vocabulary, output_layer):
    model = make(vocabulary, output_layer=output_layer, dropout=0.0, word_dropout=0.0, num_hidden_layers=2).train()
    batch = batch_of(vocabulary, "aspirin was given for ibuprofenase", "fever")
    labels = torch.full_like(batch["input_ids"], 4)
    expected = model(**batch, labels=labels).loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**batch, labels=labels, output_logits=True)
    output.loss.backward()
    assert output.loss.item() == pytest.approx(expected.item(), rel=0.02)
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


def test_several_layers(vocabulary):
    model = make(vocabulary, num_hidden_layers=2)
    assert len(model.encoder.layers) == 2
    assert torch.isfinite(model(**batch_of(vocabulary, "aspirin was given")).logits).all()


def test_built_from_configuration_values_alone():
    from hf_bionerkd.models.auto import build_token_classifier

    model = build_token_classifier({"model_type": "bionerkd_bilstm_crf", **SMALL}, SPACE.id2label, 0, 0)
    assert model.config.hidden_size == 5
    with pytest.raises(ValueError, match="no vocabulary yet: call set_vocabulary"):
        model(torch.tensor([[1]]))
    with pytest.raises(ValueError, match="output_layer='crv' is not one of 'crf', 'softmax'"):
        BiLstmCrfConfig(output_layer="crv")


@pytest.mark.gpu
def test_a_gpu_gives_the_same(vocabulary):
    model = make(vocabulary)
    batch = batch_of(vocabulary, "aspirin was given for ibuprofenase", "fever", "")
    here = model(**batch).logits
    there = model.cuda()(**batch.to("cuda")).logits
    assert torch.allclose(here, there.cpu(), atol=1e-4)
