"""A linear-chain conditional random field: likelihood, marginals and best path, batched and exact.

All three treat the surroundings of a sequence as one more label, the *boundary*. It is the only label allowed where
the mask is false, and it is allowed nowhere else. Start and end scores are then transitions out of it and into it,
padding is a run of boundaries with score zero, and sequences of any length, also empty ones, need no special case.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

UNKNOWN = -100  # the label id of a word whose tag is not known, as in `labels` everywhere else
NEVER = -1e30  # stands for minus infinity where infinities could be subtracted from each other
_LEAST = 1e-300  # the marginal that is given for a label that cannot be, so that its logarithm is finite
_SMALL = 1e-60  # marginals below it, of labels that can be, are computed in log space with their gradients
_SAFE = 1e-200  # while the sums of all labels' weights stay above it, none that matters has left float64's range
_RESCALE_EVERY = 8  # steps
_TINY_STEP = 1e-30  # imaginary step of derivatives: far below the last digit of any real part


def forbidden_transitions(labels: Sequence[str]) -> Tensor:
    """Tell which neighbours the tag scheme excludes, judged by the labels' names.

    ``I-X`` may only follow ``B-X`` or ``I-X``; ``E-X`` (and ``L-X`` of BILOU) likewise. In a type that has an ``E``
    or ``L``, ``B-X`` and ``I-X`` must be followed by ``I-X``, ``E-X`` or ``L-X``. A type without ``B-X`` (IO) and
    labels without a scheme's prefix are free.

    Args:
        labels (`Sequence[str]`): The labels in id order.

    Returns:
        `(labels + 1, labels + 1)`, boolean, `[from, to]`; the last row and column are the start and the end.

    Example:
        >>> forbidden_transitions(["B-Gene", "I-Gene", "O"]).int().tolist()
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]]
    """
    boundary = ("", "")
    tags = [(label[0], label[2:]) if label[1:2] == "-" else boundary for label in labels]
    # The prefixes that each type has decide which scheme it follows.
    prefixes: dict[str, set[str]] = {}
    for prefix, kind in tags:
        prefixes.setdefault(kind, set()).add(prefix)

    def continues(prefix: str, kind: str) -> bool:
        return prefix in ("E", "L") or (prefix == "I" and "B" in prefixes[kind])

    def stays_open(prefix: str, kind: str) -> bool:
        return prefix in ("B", "I") and bool(prefixes[kind] & {"E", "L"})

    table = torch.zeros(len(labels) + 1, len(labels) + 1, dtype=torch.bool)
    for i, before in enumerate([*tags, boundary]):
        for j, after in enumerate([*tags, boundary]):
            # Two tags of one mention may always meet; else neither side may need the other.
            joined = before[1] == after[1] and before[0] in ("B", "I") and continues(*after)
            table[i, j] = not joined and (
                (after != boundary and continues(*after)) or (before != boundary and stays_open(*before))
            )
    return table


class LinearChainCrf(nn.Module):
    """A linear-chain CRF over emissions.

    Tags y score ``s(X, y) = Σ_i (T[y_{i-1}, y_i] + P[i, y_i])`` with a start and an end score. Transitions that the
    tag scheme forbids have no weight and no gradient.

    Sums over all taggings run from both ends at once, in double precision, in probability space with rescaling, and
    their gradient is written by hand. A batch that leaves the range of double precision, with scores hundreds of nats
    apart, is computed again in log space.

    | input | shape | |
    |---|---|---|
    | emissions | `(batch, words, labels)` | floating point; half precision is widened |
    | tags | `(batch, words)` | label ids; -100 where the tag is not known; ignored where the mask is false |
    | mask | `(batch, words)` | boolean, true at words; all true by default. Padding may stand on either side. |
    | allowed | `(batch, words, labels)` | boolean: the labels that each word may have |

    Args:
        labels (`Sequence[str]` or `Mapping[int, str]`): The labels in id order, or `id2label`.
        constrained (`bool`, *optional*, defaults to `True`): Forbid what the tag scheme forbids
            (:func:`forbidden_transitions`).

    Example:
        >>> crf = LinearChainCrf(["B-Gene", "I-Gene", "O"])
        >>> tags, score = crf.decode(torch.tensor([[[0.0, 0.0, 5.0], [0.0, 5.0, 0.0]]]))
        >>> tags.tolist() != [[2, 1]]  # I-Gene cannot follow O
        True

    Source: Lafferty et al. 2001, "Conditional random fields"; scores as in Zhou et al. 2021, "Basic model".
    """

    def __init__(self, labels: Sequence[str] | Mapping[int, str], constrained: bool = True) -> None:
        super().__init__()
        self.labels = tuple(labels[index] for index in range(len(labels)))
        self.constrained = constrained
        size = len(self.labels)
        self.transitions = nn.Parameter(torch.empty(size, size))
        self.start = nn.Parameter(torch.empty(size))
        self.end = nn.Parameter(torch.empty(size))
        self.register_buffer("forbidden", torch.zeros(size + 1, size + 1, dtype=torch.bool))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw small random scores, and compute the table of forbidden transitions."""
        for scores in (self.transitions, self.start, self.end):
            nn.init.uniform_(scores, -0.1, 0.1)
        with torch.no_grad():
            self.forbidden.copy_(forbidden_transitions(self.labels) & self.constrained)

    def extra_repr(self) -> str:
        """Return the line that `print(model)` shows."""
        return f"{len(self.labels)} labels, constrained={self.constrained}"

    def log_likelihood(
        self,
        emissions: Tensor,
        tags: Tensor | None = None,
        mask: Tensor | None = None,
        allowed: Tensor | None = None,
    ) -> Tensor:
        """Return the log probability of the tags, one value per sequence, not reduced.

        Give either `tags` or `allowed`. Where tags are not known (-100), or only a set of labels is, it is the log of
        the summed probability of all taggings that agree with what is known.

        Returns:
            `(batch,)`; 0 for a sequence without words.

        Raises:
            ValueError: A shape is wrong; a label id is outside the labels; or the tag scheme forbids the tags, or
                `allowed` leaves a sequence no tagging.
        """
        wide, mask = self._prepare(emissions, mask)
        if (tags is None) == (allowed is None):
            raise ValueError("a likelihood needs either `tags` or `allowed`, and not both")
        if tags is not None:
            allowed = self._known(tags, mask)
        elif allowed.dtype != torch.bool or allowed.shape != emissions.shape:
            raise ValueError(
                f"`allowed` is {allowed.dtype} of shape {tuple(allowed.shape)}, expected torch.bool of the emissions' "
                f"shape {tuple(emissions.shape)}"
            )
        matrix = self._matrix(wide.dtype)
        # All tags known: the score of one path. Otherwise: the sum over all paths that what is known allows.
        if allowed is None:
            chosen = _path_score(wide, tags, mask, matrix)
        else:
            chosen = _log_partition(wide.masked_fill(~(allowed | ~mask[..., None]), -torch.inf), matrix, mask)
        # Scores as large as `NEVER` itself, of a student that diverges, say nothing about the tags.
        bounded = wide.abs().sum((1, 2)) < -NEVER / 4
        impossible = (chosen <= NEVER / 2) & bounded
        if impossible.any():
            raise ValueError(
                f"sequences {impossible.nonzero()[:, 0].tolist()[:9]} of the batch have tags that the scheme of the "
                f"labels {list(self.labels)} forbids (an I- tag without its B-, say): mend the tags, give the words "
                f"the id {UNKNOWN} (not known), or build the CRF with constrained=False"
            )
        return _as_given(chosen - _log_partition(wide, matrix, mask), emissions)

    def log_partition(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the log of the summed exponentiated scores of all taggings, `(batch,)`."""
        wide, mask = self._prepare(emissions, mask)
        return _as_given(_log_partition(wide, self._matrix(wide.dtype), mask), emissions)

    def marginals(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the log probability of each label at each word; differentiable once, whatever the scores' size.

        The softmax of these values gives the same probabilities, so they can be used as logits.

        Returns:
            `(batch, words, labels)`; log(1e-300) for a label that cannot be, 0 where the mask is false.
        """
        wide, mask = self._prepare(emissions, mask)
        logs = _log_marginals(wide, self._matrix(wide.dtype), mask)
        return _as_given(logs.masked_fill(~mask[..., None], 0.0), emissions)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the best tags and their scores, by Viterbi's algorithm.

        Returns:
            Tags `(batch, words)`, -100 where the mask is false; scores `(batch,)`, which become log probabilities when
            :meth:`log_partition` is subtracted.
        """
        wide, mask = self._prepare(emissions, mask)
        tags, scores = _viterbi(wide, self._matrix(wide.dtype), mask)
        return tags.masked_fill(~mask, UNKNOWN), _as_given(scores, emissions)

    def _matrix(self, dtype: torch.dtype) -> Tensor:
        """Return scores `[from, to]` with the boundary as the last label; minus infinity where forbidden."""
        rows = torch.cat([self.transitions, self.end[:, None]], 1)
        boundary = nn.functional.pad(self.start, (0, 1))
        return torch.cat([rows, boundary[None]]).to(dtype).masked_fill(self.forbidden, -torch.inf)

    def _prepare(self, emissions: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Check shapes; return emissions in double precision with zeros at padding, and the mask."""
        if emissions.dim() != 3 or emissions.shape[-1] != len(self.labels):
            raise ValueError(
                f"emissions of shape {tuple(emissions.shape)}, expected (batch, words, {len(self.labels)})"
            )
        if mask is None:
            mask = torch.ones(emissions.shape[:2], dtype=torch.bool, device=emissions.device)
        elif mask.dtype != torch.bool or mask.shape != emissions.shape[:2]:
            raise ValueError(
                f"the mask is {mask.dtype} of shape {tuple(mask.shape)}, expected torch.bool of shape "
                f"{tuple(emissions.shape[:2])}"
            )
        # Whatever padding holds (also NaN and infinity) stays out of the value and out of the gradient.
        return emissions.masked_fill(~mask[..., None], 0.0).to(_double(emissions.device)), mask

    def _known(self, tags: Tensor, mask: Tensor) -> Tensor | None:
        """Return the labels that the tags allow, as booleans; None where all tags are known."""
        if tags.shape != mask.shape:
            raise ValueError(f"tags of shape {tuple(tags.shape)}, expected {tuple(mask.shape)}, one per word")
        unknown = (tags == UNKNOWN) & mask
        wrong = mask & ~unknown & ((tags < 0) | (tags >= len(self.labels)))
        if wrong.any():
            raise ValueError(
                f"label ids {sorted(set(tags[wrong].tolist()))} under a true mask, expected 0 to "
                f"{len(self.labels) - 1}, or {UNKNOWN} where the tag is not known"
            )
        if not unknown.any():
            return None
        return unknown[..., None] | (tags[..., None] == torch.arange(len(self.labels), device=tags.device))


def _double(device: torch.device) -> torch.dtype:
    """Return double precision, or single on a device without it."""
    return torch.float32 if device.type == "mps" else torch.float64


def _as_given(value: Tensor, emissions: Tensor) -> Tensor:
    """Return the value in the precision of the emissions, but at least single."""
    return value.to(torch.promote_types(emissions.dtype, torch.float32))


def _path_score(emissions: Tensor, tags: Tensor, mask: Tensor, matrix: Tensor) -> Tensor:
    """Return the score of one tagging per sequence."""
    boundary = emissions.shape[2]
    # Each step's transition is looked up in the flattened matrix; padding walks from boundary to boundary at no cost.
    path = nn.functional.pad(tags.masked_fill(~mask, boundary), (1, 1), value=boundary)
    pairs = path[:, :-1] * (boundary + 1) + path[:, 1:]
    steps = matrix.flatten().index_select(0, pairs.flatten())
    words = emissions.gather(2, tags.masked_fill(~mask, 0)[..., None])[..., 0] * mask
    return steps.view(pairs.shape).sum(1) + words.sum(1)


def _log_partition(emissions: Tensor, matrix: Tensor, mask: Tensor) -> Tensor:
    """Return the log partition function, in log space where probability space has lost precision."""
    value, exact = _LogPartition.apply(emissions, matrix, mask)
    return value if exact else _log_space_partition(emissions, matrix, mask)


def _log_marginals(emissions: Tensor, matrix: Tensor, mask: Tensor) -> Tensor:
    """Return the logarithms of the marginals, in log space where probability space has lost precision."""
    if emissions.dtype == torch.float64:
        chances, exact = _Marginals.apply(emissions, matrix, mask)
        # The gradient of a logarithm is as large as its marginal is small, until it leaves the range of doubles.
        if exact and not ((chances < _SMALL) & _possible(matrix, mask)).any():
            return chances.clamp(min=_LEAST).log()
    return _log_space_marginals(emissions, matrix, mask)


def _possible(matrix: Tensor, mask: Tensor) -> Tensor:
    """Tell which labels words may have, all but those that cannot begin or end a sequence."""
    edge = nn.functional.pad(mask, (1, 1))
    first, last = mask & ~edge[:, :-2], mask & ~edge[:, 2:]
    never = matrix == -torch.inf
    excluded = (first[..., None] & never[-1, :-1]) | (last[..., None] & never[:-1, -1])
    return mask[..., None] & ~excluded


def _factors(emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return exponentiated emissions, and the log of the factor divided out of each sequence.

    Returns:
        `(words + 1, labels + 1, batch)`, where the boundary is the last label and holds one more position after the
        last word; and `(batch,)`.
    """
    batch, words, labels = emissions.shape
    turned = emissions.permute(1, 2, 0)
    # Each word's largest score is divided out, so that its factors lie between 0 and 1.
    largest = turned.amax(1, keepdim=True).clamp(min=NEVER)
    valid = mask.t()[:, None]
    factors = emissions.new_zeros(words + 1, labels + 1, batch)
    torch.mul((turned - largest).exp_(), valid, out=factors[:words, :labels])
    # The boundary is the label of padding and of the position after the last word.
    factors[:words, labels:] = ~valid
    factors[words, labels] = 1.0
    return factors, (largest * valid).sum((0, 1))


def _both_ways(factors: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return forward and backward sums, computed one step of each in one multiplication.

    Args:
        factors (`Tensor`): The factors of :func:`_factors`; may be complex.
        weights (`Tensor`): Exponentiated scores `[from, to]`, real.

    Returns:
        The weight of all beginnings up to a label, without and with the label's own factor; the weight of all endings
        from a label on, with its factor; each `(words + 1, labels + 1, batch)`, and each step on a scale of its own.
        The last value is the log of the forward scale at the last step, `(batch,)`.
    """
    # Side by side: the sequence read forward with the transposed weights, and read backward with the weights.
    turned = torch.stack([factors, factors.flip(0)], 1)
    both = torch.stack([weights.t(), weights]).to(factors.dtype)
    without, within = torch.empty_like(turned), torch.empty_like(turned)
    scale = weights.new_zeros(factors.shape[2])
    # Both walks start at the boundary.
    state = torch.zeros_like(turned[0])
    state[:, -1] = 1.0
    steps = zip(turned.unbind(0), without.unbind(0), within.unbind(0), strict=True)
    for step, (factor, sums, weighted) in enumerate(steps, 1):
        torch.bmm(both, state, out=sums)
        torch.mul(sums, factor, out=weighted)
        # Divide out the largest weight now and then, before the range of floating point is left.
        if step % _RESCALE_EVERY == 0:
            size = (weighted.real if weighted.is_complex() else weighted).amax(1, keepdim=True)
            weighted.div_(size)
            scale += size[0, 0].log()
        state = weighted
    return without[:, 0], within[:, 0], within[:, 1].flip(0), scale


def _in_range(sums: Tensor) -> bool:
    """Tell whether the summed weights of every step are far from both ends of the range, so that nothing was lost."""
    return bool(((sums > _SAFE) & (sums < 1 / _SAFE)).all())


def _transition_counts(within: Tensor, shares: Tensor, weights: Tensor) -> Tensor:
    """Return expected transitions `[from, to]`, summed over all steps and sequences.

    Args:
        within (`Tensor`): Beginnings with their label's factor.
        shares (`Tensor`): Endings with their label's factor, divided by the weight of all taggings.
        weights (`Tensor`): Exponentiated scores `[from, to]`.
    """
    first = torch.zeros_like(within[:1])
    first[:, -1] = 1.0
    origins = torch.cat([first, within[:-1]]).transpose(0, 1).flatten(1)
    return (origins @ shares.transpose(0, 1).flatten(1).t()) * weights


class _LogPartition(torch.autograd.Function):
    """The log of the weight of all taggings; its gradient is the expected labels and transitions."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, matrix: Tensor, mask: Tensor) -> tuple[Tensor, bool]:
        factors, taken = _factors(emissions, mask)
        weights = matrix.exp()
        without, within, endings, scale = _both_ways(factors, weights)
        pairs = without * endings
        sums = pairs.sum(1)
        ctx.save_for_backward(pairs, within, endings, sums, weights)
        return within[-1, -1].log() + scale + taken, _in_range(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, Tensor | None, None]:
        pairs, within, endings, sums, weights = ctx.saved_tensors
        share = (grad / sums)[:, None]
        emissions = matrix = None
        if ctx.needs_input_grad[0]:
            emissions = (pairs[:-1, :-1] * share[:-1]).permute(2, 0, 1)
        if ctx.needs_input_grad[1]:
            matrix = _transition_counts(within, endings * share, weights)
        return emissions, matrix, None


class _Marginals(torch.autograd.Function):
    """The probability of each label at each word.

    It is the gradient of the log partition function, so its vector-Jacobian product is that function's second
    derivative along the incoming gradient. That derivative is the imaginary part of marginals and counts computed with
    a very small imaginary step in that direction; it is exact to the last digits because nothing is subtracted.
    """

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, matrix: Tensor, mask: Tensor) -> tuple[Tensor, bool]:
        factors, _ = _factors(emissions, mask)
        weights = matrix.exp()
        without, _, endings, _ = _both_ways(factors, weights)
        pairs = without * endings
        sums = pairs.sum(1, keepdim=True)
        ctx.save_for_backward(factors, weights)
        return (pairs / sums)[:-1, :-1].permute(2, 0, 1), _in_range(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor, Tensor, None]:
        factors, weights = ctx.saved_tensors
        # One step length per sequence, so that large and small gradients are equally exact.
        step = _TINY_STEP / grad.abs().amax((1, 2)).clamp(min=_LEAST)
        direction = nn.functional.pad(grad.permute(1, 2, 0) * step, (0, 0, 0, 1, 0, 1))
        without, within, endings, _ = _both_ways(torch.complex(factors, factors * direction), weights)
        pairs = without * endings
        share = 1 / (pairs.sum(1, keepdim=True) * step)
        emissions = (pairs * share)[:-1, :-1].permute(2, 0, 1).imag
        return emissions, _transition_counts(within, endings * share, weights.to(share.dtype)).imag, None


def _log_space_partition(emissions: Tensor, matrix: Tensor, mask: Tensor) -> Tensor:
    """Return the log partition function, computed in log space by autograd: slower, but for scores of any size."""
    scores, matrix = _without_infinities(emissions, matrix, mask)
    state = matrix[-1].expand(len(scores), -1)
    for word in scores.unbind(1):
        state = torch.logsumexp((state + word).clamp(min=NEVER)[:, :, None] + matrix, 1)
    return state[:, -1]


def _log_space_marginals(emissions: Tensor, matrix: Tensor, mask: Tensor) -> Tensor:
    """Return the logarithms of the marginals by forward and backward sums in log space; see the above."""
    if not emissions.shape[1]:
        return emissions
    scores, matrix = _without_infinities(emissions, matrix, mask)
    words = scores.unbind(1)
    beginnings = [matrix[-1].expand(len(scores), -1)]  # up to each word, without the word's own score
    for word in words[:-1]:
        beginnings.append(torch.logsumexp((beginnings[-1] + word).clamp(min=NEVER)[:, :, None] + matrix, 1))
    endings = [matrix[:, -1].expand(len(scores), -1)]  # after each word
    for word in reversed(words[1:]):
        endings.append(torch.logsumexp((endings[-1] + word).clamp(min=NEVER)[:, None] + matrix, 2))
    logs = torch.stack(beginnings, 1) + scores + torch.stack(endings[::-1], 1)
    logs = logs - logs.logsumexp(2, keepdim=True)
    # One that cannot be has a weight of about `NEVER`; it is given a small probability, and no gradient.
    return logs[..., :-1].masked_fill(logs[..., :-1] <= NEVER / 2, math.log(_LEAST))


def _without_infinities(emissions: Tensor, matrix: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return scores of words with the boundary as the last label, and the matrix, with `NEVER` for minus infinity."""
    # The gradients of infinities would be NaN.
    scores = emissions.clamp(min=NEVER).masked_fill(~mask[..., None], NEVER)
    boundary = mask[..., None] * scores.new_tensor(NEVER)
    return torch.cat([scores, boundary], 2), matrix.clamp(min=NEVER)


def _viterbi(emissions: Tensor, matrix: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return best tags `(batch, words)` and their scores; both halves are walked at once, from the ends inward."""
    batch, words, labels = emissions.shape
    half, width = (words + 1) // 2, labels + 1
    if not words:
        return mask.long(), emissions.new_zeros(batch)
    # Scores with the boundary as the last label, the only one allowed at padding and at an added last position.
    scores = emissions.new_full((2 * half, width, batch), -torch.inf)
    scores[:words, :labels] = emissions.permute(1, 2, 0).masked_fill(~mask.t()[:, None], -torch.inf)
    scores[:words, labels].masked_fill_(~mask.t(), 0.0)
    scores[words:, labels] = 0.0
    # (half, label, direction, batch): the first half from its start on, the second from its end back.
    turned = torch.stack([scores[:half], scores[half:].flip(0)], 2)
    both = torch.stack([matrix, matrix.t()], 2)[..., None]  # [from, to] in the direction of the walk
    # Walk forward: keep the best score of every label at every step; which label it came from is found again below.
    best = torch.empty_like(turned)
    grid = emissions.new_empty(width, width, 2, batch)
    state = emissions.new_full((width, 1, 2, batch), -torch.inf)
    state[-1] = 0.0
    origins = best[:, :, None].unbind(0)
    for score, reached, origin in zip(turned.unbind(0), best.unbind(0), origins, strict=True):
        torch.add(state, both, out=grid)
        torch.amax(grid, 0, out=reached)
        reached.add_(score)
        state = origin
    # The halves meet at the best pair of labels on either side of the middle.
    meeting = state[:, :, 0] + matrix[..., None] + state[:, 0, 1]
    value, pair = meeting.flatten(0, 1).max(0)
    tag = torch.cat([pair // width, pair % width + width])  # labels of the second half count on from the first's
    # Walk back from the middle to both ends: the label before is the one that gave the best score.
    path = [tag]
    rows = torch.cat([matrix.t(), matrix])  # [to, from] in the direction of the walk
    second = torch.arange(2, device=tag.device).repeat_interleave(batch) * width
    for reached in best[:-1].permute(0, 2, 3, 1).reshape(half - 1, 2 * batch, width).flip(0).unbind(0):
        tag = rows.index_select(0, tag).add_(reached).argmax(-1).add_(second)
        path.append(tag)
    halves = (torch.stack(path) - second).view(half, 2, batch)
    return torch.cat([halves[:, 0].flip(0), halves[:, 1]])[:words].t(), value
