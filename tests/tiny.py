"""Corpora, tokenizers, models and teachers small enough to be made and trained inside a test."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hf_bionerkd.data.builders import build_corpus
from hf_bionerkd.data.corpus import Corpus, load_corpus
from hf_bionerkd.data.corpus_card import CorpusCard
from hf_bionerkd.data.joining import join_corpora
from hf_bionerkd.documents import Document, Mention
from hf_bionerkd.encoding.tag_pairs import TagPairs, save_tokenizer
from hf_bionerkd.encoding.wordpiece import learn_wordpiece
from hf_bionerkd.labels import LabelSpace

NAMES = {
    "Disease": ("asthma", "lung cancer", "fever", "heart failure", "type-2 diabetes", "gout"),
    "Chemical": ("aspirin", "acetic acid", "ibuprofen", "sodium chloride", "L-dopa", "zinc"),
    "Gene": ("TP53", "BRCA1", "IL-2", "growth hormone receptor", "EGFR", "MYC"),
}
SHAPES = (
    "{Chemical} was given for {Disease} .",
    "{Disease} patients often carry mutations of {Gene} .",
    "{Gene} is induced by {Chemical} in {Disease} .",
    "No effect of {Chemical} on {Gene} was seen in the treated group , although doses were high .",
    "{Disease}",
)
ARCHITECTURE = {
    "model_type": "bert",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
TRAINING = {
    "use_cpu": True,
    "bf16": False,
    "per_device_train_batch_size": 8,
    "learning_rate": 1e-3,
    "logging_steps": 1,
    "disable_tqdm": True,
    "num_train_epochs": 1,
}
SIZES = {"train": 24, "validation": 8, "test": 8}


def documents(types: Sequence[str], count: int, seed: str) -> Iterator[Document]:
    """Sentences that mention all three types and annotate `types`; the same seed gives the same sentences."""
    draw = random.Random(seed)
    for number in range(count):
        text, mentions = "", []
        for piece in re.split(r"(\{\w+\})", draw.choice(SHAPES)):
            kind = piece.strip("{}")
            if kind in NAMES and piece != kind:
                name = draw.choice(NAMES[kind])
                mentions.append(Mention(len(text), len(text) + len(name), kind, name))
                piece = name
            text += piece
        yield Document(f"{seed}-{number}", text, tuple(m for m in mentions if m.type in types))


def write_corpus(folder: Path, name: str, types: Sequence[str], sizes: Mapping[str, int] | None = None) -> str:
    """A corpus as dataset_scripts/ publish it; returns its path."""
    card = CorpusCard(name, name, "Made for tests.", "cc0-1.0", "-", "-", "-")
    splits = {split: documents(types, size, f"{name}-{split}") for split, size in (sizes or SIZES).items()}
    build_corpus(folder / name, splits, types, card, [__file__])
    return str(folder / name)


def make_corpora(
    folder: Path, types: Mapping[str, Sequence[str]], sizes: Mapping[str, int] | None = None
) -> list[Corpus]:
    """Corpora by name, each annotating the types given for it."""
    return [load_corpus(write_corpus(folder, name, kinds, sizes), name) for name, kinds in types.items()]


def tokens(count: int, seed: str = "tokens") -> list[list[str]]:
    """Sentences as lists of words."""
    return [document.tokens for document in documents((), count, seed)]


def wordpiece(max_length: int = 64) -> Any:
    """A WordPiece tokenizer of about 200 pieces."""
    return learn_wordpiece((" ".join(words) for words in tokens(100)), 200, max_length=max_length)


def byte_level_bpe() -> Any:
    """A RoBERTa-like tokenizer: byte-level pieces, <s> and </s>."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator((" ".join(words) for words in tokens(100)), trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=64,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
    )


def build_model(labels: Sequence[str], tokenizer: Any, seed: int = 0, **changes: Any) -> Any:
    """A random token classifier; its head is scaled up so that its predictions differ from word to word."""
    import torch

    from hf_bionerkd.models.auto import build_token_classifier

    torch.manual_seed(seed)
    model = build_token_classifier(
        ARCHITECTURE | changes, dict(enumerate(labels)), len(tokenizer), tokenizer.pad_token_id
    )
    with torch.no_grad():
        model.classifier.weight.mul_(60)
    return model


def save_teacher(folder: Path, labels: Sequence[str], tokenizer: Any = None, seed: int = 0) -> str:
    """A random teacher in safetensors; returns its path."""
    tokenizer = tokenizer or wordpiece()
    build_model(labels, tokenizer, seed).save_pretrained(folder)
    save_tokenizer(tokenizer, folder, TagPairs("none", {}))
    return str(folder)


def bio(*types: str) -> tuple[str, ...]:
    """BIO labels of types."""
    return LabelSpace(types).labels


def weights(model: Any) -> dict[str, Any]:
    """A copy of a model's weights."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


def largest_difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> float:
    """Between two models' weights."""
    assert first.keys() == second.keys()
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)


class Listed:
    """Columns of teachers kept in a list: a source without teachers."""

    def __init__(self, columns: Mapping[str, Any], values: Sequence[Mapping[str, np.ndarray]]) -> None:
        self.columns = dict(columns)
        self.values = values

    def rows(self, indices: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return the columns of these sentences."""
        return [dict(self.values[index]) for index in indices]


def listed_targets(targets: Sequence[np.ndarray]) -> Listed:
    """Joint targets that are given sentence by sentence."""
    from hf_bionerkd.teachers.columns import JOINT_COLUMNS, JOINT_TARGETS

    return Listed(JOINT_COLUMNS, [{JOINT_TARGETS: values} for values in targets])


def gold_targets(corpora: Sequence[Corpus], space: LabelSpace) -> Listed:
    """Targets that are certain of the gold labels."""
    rows = join_corpora(corpora, "train", space)
    return listed_targets([np.eye(len(space), dtype=np.float32)[labels] for labels in rows["labels"]])


def random_targets(corpora: Sequence[Corpus], space: LabelSpace) -> Listed:
    """A distribution for every word."""
    draw = np.random.default_rng(0)
    rows = join_corpora(corpora, "train", space)
    return listed_targets([draw.dirichlet(np.ones(len(space)), len(words)) for words in rows["tokens"]])


def listed_teachers(corpora: Sequence[Corpus], space: LabelSpace) -> Listed:
    """What two teachers say of every word."""
    from hf_bionerkd.teachers.columns import TEACHER_COLUMNS, TEACHER_PROBS, TEACHER_TAGS

    draw = np.random.default_rng(1)
    sentences = []
    for words in join_corpora(corpora, "train", space)["tokens"]:
        probs = draw.dirichlet(np.ones(len(space)), (len(words), 2))
        # Tags that a CRF has a path for: mentions of one word, and words outside.
        tags = draw.choice([*range(0, len(space), 2)], (len(words), 2))
        sentences.append({TEACHER_PROBS: probs, TEACHER_TAGS: tags})
    return Listed(TEACHER_COLUMNS, sentences)


def taughtnet(lam: float) -> dict[str, float]:
    """Weights of the teachers' joint term and the gold term."""
    return {"kd": lam, "gold": 1.0 - lam}


def make_job(
    corpora: Sequence[Corpus],
    training: Mapping[str, Any],
    *,
    terms: Mapping[str, float] | None = None,
    gold_outside: str = "partial",
    temperature: float = 2.0,
    **changes: Any,
) -> Any:
    """A training as the runs put it together, with the tags of a student; nothing is evaluated or saved."""
    from hf_bionerkd.data.corpus import label_space_of
    from hf_bionerkd.losses.mixture import mixture_of
    from hf_bionerkd.runs.config_sections import EncodingConfig
    from hf_bionerkd.runs.loading import make_tags
    from hf_bionerkd.runs.training_run import Job
    from hf_bionerkd.teachers.aggregation import TeacherTypes

    space = label_space_of(corpora)
    options = {"gold": {"outside": gold_outside}, "tempered": {"temperature": temperature}}
    values: dict[str, Any] = {
        "tags": make_tags("corpus", corpora, neutral=True, end_tag=True),
        "encoding": EncodingConfig(max_length=64),
        "seed": 1,
        "loss": mixture_of(terms or {"gold": 1.0}, options),
        "teachers": [TeacherTypes("teacher", space.types)],
    }
    unsaved = {"eval_strategy": "no", "save_strategy": "no", "train_sampling_strategy": "random"}
    return Job(corpora, space, training={**TRAINING, **unsaved, **training}, **{**values, **changes})


def make_trainer(job: Any, folder: Path, dropout: float = 0.0) -> Any:
    """The trainer of a job, always with the same fresh model."""
    import torch

    from hf_bionerkd.runs import training_run
    from hf_bionerkd.runs.config_sections import ModelConfig
    from hf_bionerkd.runs.loading import make_model

    torch.manual_seed(0)
    drop = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    model, tokenizer = make_model(ModelConfig(architecture=ARCHITECTURE | drop), wordpiece(), job.tags, job.space)
    return training_run.make_trainer(job, model, tokenizer, folder)


WORDS = {
    "model_type": "bionerkd_bilstm_crf",
    "word_embedding_size": 8,
    "character_embedding_size": 4,
    "character_filters": 6,
    "hidden_size": 8,
    "head_size": 8,
    "dropout": 0.0,
    "word_dropout": 0.0,
}


def make_word_trainer(job: Any, folder: Path, output_layer: str = "crf") -> Any:
    """The trainer of a job with a BiLSTM, always the same fresh one."""
    import torch

    from hf_bionerkd.runs import training_run
    from hf_bionerkd.runs.config_sections import ModelConfig
    from hf_bionerkd.runs.loading import make_model, make_tokenizer

    torch.manual_seed(0)
    config = ModelConfig(architecture=WORDS | {"output_layer": output_layer})
    model, tokenizer = make_model(config, make_tokenizer(config, job.corpora, 64), job.tags, job.space)
    return training_run.make_trainer(job, model, tokenizer, folder)


def train(job: Any, folder: Path, dropout: float = 0.0) -> Any:
    """Train a fresh model; gives the trainer."""
    trainer = make_trainer(job, folder, dropout)
    trainer.train()
    return trainer


def train_and_kill(trainer: Any, step: int) -> None:
    """Train and break off right after an optimiser step, before anything is saved for that step."""
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == step:
                raise KeyboardInterrupt

    trainer.add_callback(Kill)
    try:
        trainer.train()
    except KeyboardInterrupt:
        return
    raise AssertionError(f"the training ended before step {step}")


def losses(trainer: Any, name: str = "loss") -> list[float]:
    """What was logged under a name, in order."""
    return [log[name] for log in trainer.state.log_history if name in log]
