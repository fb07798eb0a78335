"""A BiLSTM-CRF over words with a character CNN: small, fast on a CPU, and trained without pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .char_cnn import CharacterCnn
from .configuration import BiLstmCrfConfig
from .lstm import BidirectionalLstm, CheapDropout
from .word_embedding import WordEmbedding
from .word_level import EmissionHead, WordLevelModel
from .word_outputs import WordTaggerOutput
from .word_pieces import STARTS, UNKNOWN_WORD, PieceLayout, PieceTables, WordReader, lay_out

# What the files beside need in turn: from a local folder transformers 4.57 copies only what this file names itself.
if TYPE_CHECKING:
    from .crf import LinearChainCrf as LinearChainCrf
    from .pipelines import WordTaggingPipeline as WordTaggingPipeline
    from .positions import longest_input_of as longest_input_of
    from .text import without_surrogates as without_surrogates
    from .windows import plan_windows as plan_windows


class BiLstmEncoder(nn.Module):
    """The encoder of words in context: word vectors and a character CNN, then a bidirectional LSTM."""

    def __init__(self, config: BiLstmCrfConfig) -> None:
        super().__init__()
        self.word_dropout = config.word_dropout
        self.reader = WordReader(config.vocab_size, config.num_piece_characters, config.max_word_characters)
        self.register_buffer("word_counts", torch.zeros(config.num_words, dtype=torch.int32))
        self.word_vectors = WordEmbedding(config.num_words, config.word_embedding_size, config.num_fixed_words)
        self.characters = CharacterCnn(
            config.num_characters, config.character_embedding_size, config.character_filters, config.character_window
        )
        self.dropout = CheapDropout(config.dropout)
        width = config.word_embedding_size + config.character_filters
        self.layers = nn.ModuleList(
            BidirectionalLstm(2 * config.hidden_size if layer else width, config.hidden_size)
            for layer in range(config.num_hidden_layers)
        )

    def forward(self, input_ids: Tensor, layout: PieceLayout, real: Tensor) -> Tensor:
        """Return vectors `(words of the batch, 2 * hidden_size)`, row by row, without those of special tokens."""
        words = self.reader(input_ids, layout, real)
        # Each distinct spelling is read once by the CNN, then copied to all words that are spelt so.
        spellings = self.characters(words.characters, words.character_counts)
        vectors = torch.cat(
            [self.word_vectors(self._forget_some(words.rows)), spellings.index_select(0, words.spelling)], 1
        )
        for layer in self.layers:
            vectors = layer(self.dropout(vectors), words.lengths)
        # Special tokens were context for the LSTM; they get no label.
        return self.dropout(vectors)[words.labelled]

    def _forget_some(self, rows: Tensor) -> Tensor:
        """Return the rows with rare words replaced by the unknown word at random, in training only."""
        if not (self.training and self.word_dropout):
            return rows
        counts = self.word_counts[rows]
        # A word seen n times is forgotten with probability a / (a + n); words never seen stay as they are.
        rate = self.word_dropout / (self.word_dropout + counts)
        return rows.masked_fill((torch.rand_like(rate) < rate) & (counts > 0), UNKNOWN_WORD)


class BiLstmCrfForTokenClassification(WordLevelModel):
    """A BiLSTM-CRF, or a BiLSTM with a softmax, that reads words.

    Its tokenizer is a stock one whose pieces are the known words, and the characters of all others; the tables of
    that vocabulary (:class:`PieceTables`) are part of the weights. A known word has a vector of its own; every word,
    also one never seen, is read by the character CNN. A special token is a word with a vector and without a label.

    Args:
        config (`BiLstmCrfConfig`): Sizes, labels, and the output layer.

    Example:
        ```python
        vocabulary = build_word_vocabulary(sentences)  # hf_bionerkd.encoding.word_vocabulary
        model = BiLstmCrfForTokenClassification(BiLstmCrfConfig(id2label=space.id2label))
        model.set_vocabulary(vocabulary.tables)
        model(**vocabulary.tokenizer("Aspirin and fever", return_tensors="pt")).logits
        ```

    Source: Ma & Hovy 2016; Zhou et al. 2021, "Basic model"; student of Han et al. 2023.
    """

    config_class = BiLstmCrfConfig

    def __init__(self, config: BiLstmCrfConfig) -> None:
        super().__init__(config)
        self.encoder = BiLstmEncoder(config)
        self.classifier = EmissionHead(2 * config.hidden_size, config.head_size, config.num_labels)
        self._make_output_layer()
        self.post_init()

    def set_vocabulary(self, tables: PieceTables) -> None:
        """Adopt a vocabulary: its tables, and new word and character vectors of its sizes.

        Words that do not occur in the training text keep the vectors that they are given.
        """
        config, encoder = self.config, self.encoder
        config.vocab_size, config.num_piece_characters = len(tables.kinds), len(tables.characters)
        config.num_words, config.num_characters = len(tables.counts), tables.alphabet
        config.num_fixed_words = tables.unseen
        # The new tables stay on the device and in the precision of the old ones.
        device, dtype = encoder.word_vectors.weight.device, encoder.word_vectors.weight.dtype
        encoder.reader.set_tables(tables)
        encoder.word_counts = tables.counts.to(device)
        encoder.word_vectors = WordEmbedding(
            config.num_words, config.word_embedding_size, config.num_fixed_words, device, dtype
        )
        encoder.characters.embedding = nn.Embedding(
            tables.alphabet, config.character_embedding_size, padding_idx=0, device=device, dtype=dtype
        )

    def set_word_vectors(self, matrix: Any) -> int:
        """Give words pretrained vectors.

        Args:
            matrix (`array`): `(words, size)`, one row per row of the vocabulary; a row of NaN leaves the word's
                random vector as it is.

        Returns:
            The number of words that got a vector.

        Raises:
            ValueError: The matrix has a wrong shape.
        """
        vectors = self.encoder.word_vectors
        given = torch.as_tensor(matrix, dtype=vectors.weight.dtype, device=vectors.weight.device)
        expected = (self.config.num_words, vectors.embedding_dim)
        if given.shape != expected:
            raise ValueError(
                f"word vectors of shape {tuple(given.shape)}, expected {expected}: one row per word of the "
                "vocabulary, of `word_embedding_size`"
            )
        return vectors.set_rows(given)

    def word_starts(self, input_ids: Tensor) -> Tensor | None:
        """Tell which pieces start words, as booleans; return None while there is no vocabulary."""
        return self.encoder.reader.kinds[input_ids] == STARTS if self.config.vocab_size else None

    def get_input_embeddings(self) -> nn.Module:
        """Return the word vectors; they are one per word, not one per piece."""
        return self.encoder.word_vectors

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the word vectors."""
        self.encoder.word_vectors = value

    def resize_token_embeddings(
        self, new_num_tokens: int | None = None, pad_to_multiple_of: int | None = None, mean_resizing: bool = True
    ) -> nn.Module:
        """Make room for special tokens that were added to the tokenizer; each becomes a word with its own vector.

        Raises:
            ValueError: The new size is smaller; words and characters are changed with :meth:`set_vocabulary` alone.
        """
        encoder, config = self.encoder, self.config
        new = (new_num_tokens or config.vocab_size) - config.vocab_size
        if new < 0:
            raise ValueError(
                f"the vocabulary has {config.vocab_size} pieces and cannot shrink to {new_num_tokens}: build another "
                "one and use set_vocabulary"
            )
        if new:
            # New rows are learned, and learned rows come before the fixed ones in all three tables.
            learned = config.num_words - config.num_fixed_words
            encoder.reader.add_special(new, learned)
            counts = encoder.word_counts
            encoder.word_counts = torch.cat([counts[:learned], counts.new_zeros(new), counts[learned:]])
            encoder.word_vectors = encoder.word_vectors.with_more(new)
            config.vocab_size += new
            config.num_words += new
        return encoder.word_vectors

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        word_starts: Tensor | None = None,
        labels: Tensor | None = None,
        output_logits: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
        **kwargs: Any,
    ) -> WordTaggerOutput:
        """Label words.

        Args:
            input_ids (`Tensor`): `(batch, pieces)`.
            attention_mask (`Tensor`, *optional*): `(batch, pieces)`, 0 at padding.
            word_starts (`Tensor`, *optional*): `(batch, pieces)`, boolean: where words start, in place of the pieces'
                own marks.
            labels (`Tensor`, *optional*): `(batch, pieces)`; the label of a word is that of its first piece; -100
                where it is not known.
            output_logits (`bool`, *optional*): Compute `logits`; by default in evaluation, and always for a softmax.
            num_items_in_batch (`int`, *optional*): The divisor of the loss, in place of the number of sentences (CRF)
                or words (softmax).
            **kwargs: Other outputs of tokenizers, which are ignored.

        Raises:
            ValueError: The model has no vocabulary yet.
        """
        if not self.config.vocab_size:
            raise ValueError("the model has no vocabulary yet: call set_vocabulary first")
        real = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
        layout = lay_out(self.encoder.reader.kinds[input_ids], real, word_starts)
        vectors = self.encoder(input_ids, layout, real)
        return self._output(vectors, layout, labels, output_logits, num_items_in_batch)
