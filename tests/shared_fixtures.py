"""Tokenizers, models and corpora small enough to be made in a blink, for tests of several rooms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tiny

TEXT = (
    "aspirin - induced ulcers in patients with gastric cancer and colon cancer",
    "IL - 2 deficiency and TP53 mutations cause renal failure , not asthma .",
    "alpha - synuclein and IL - 6 levels rose after warfarin / β - carotene ( 5 mg ) !",
    "No asthma , but Ca2 + raised non - small cell cancer in patients with deficiency .",
)
MARKERS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@pytest.fixture(scope="session")
def wordpiece() -> Any:
    """A cased WordPiece tokenizer with BERT's template; inputs of up to 64 pieces."""
    from hf_bionerkd.encoding.wordpiece import learn_wordpiece

    return learn_wordpiece(TEXT * 3, 200, max_length=64)


@pytest.fixture(scope="session")
def byte_bpe() -> Any:
    """A byte-level BPE tokenizer with RoBERTa's template that, as RoBERTa's, puts no space before the first word."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=460,
        special_tokens=list(MARKERS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator([" " + text for text in TEXT * 3], trainer)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=64,
        bos_token="<s>",
        cls_token="<s>",
        sep_token="</s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


@pytest.fixture(scope="session")
def bert_class(wordpiece: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same vocabulary in transformers' own BERT class, which rebuilds its template when it is loaded."""
    from transformers import BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    pieces = sorted(wordpiece.get_vocab(), key=wordpiece.get_vocab().__getitem__)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=False, model_max_length=64)


@pytest.fixture(scope="session")
def make_bert() -> Callable[..., Any]:
    """Build a one-layer BERT (or RoBERTa) token classifier with given labels."""

    def make(vocab_size: int, labels: tuple[str, ...], pad: int = 0, **values: Any) -> Any:
        import torch

        from hf_bionerkd.models.auto import build_token_classifier

        architecture = {
            "model_type": "bert",
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 66,
            **values,
        }
        torch.set_num_threads(1)  # models this small only lose by being shared out
        torch.manual_seed(0)
        return build_token_classifier(architecture, dict(enumerate(labels)), vocab_size, pad).eval()

    return make


@pytest.fixture(scope="session")
def make_token_model(make_bert: Callable[..., Any]) -> Callable[..., Any]:
    """Build a classifier whose answer at a piece depends on that piece alone.

    `label_of` maps pieces to label numbers, 0 where it says nothing; with none, every piece has logits of its own.
    """

    def make(tokenizer: Any, labels: tuple[str, ...], label_of: dict[str, int] | None = None, **values: Any) -> Any:
        import torch

        width = len(labels) if label_of is not None else 8
        model = make_bert(len(tokenizer), labels, hidden_size=width, num_attention_heads=1, **values)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.fill_(1.0 if "LayerNorm.weight" in name else 0.0)
            words = model.get_input_embeddings().weight
            if label_of is None:
                generator = torch.Generator().manual_seed(1)
                words.copy_(torch.randn(words.shape, generator=generator))
                model.classifier.weight.copy_(torch.randn(model.classifier.weight.shape, generator=generator))
            else:
                for piece, index in tokenizer.get_vocab().items():
                    words[index, label_of.get(piece, 0)] = 5.0
                model.classifier.weight.copy_(5.0 * torch.eye(width))
        return model.eval()

    return make


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three corpora: of diseases, of chemicals, and one that annotates genes and chemicals."""
    types = {"dis": ("Disease",), "chem": ("Chemical",), "both": ("Gene", "Chemical")}
    return tiny.make_corpora(tmp_path_factory.mktemp("corpora"), types)
