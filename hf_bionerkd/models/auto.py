"""Token classifiers from a Hub id, a local folder, or a configuration alone (trained from scratch).

The code of custom classes travels with their weights (:func:`carry_code`) and runs only where ``trust_remote_code`` is
on.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

Head = Literal["softmax", "crf"]
_HERE = __name__.partition(".")[0]


class CodeError(ValueError):
    """The code of a model cannot be published with it, because it would not run on its own."""


def load_token_classifier(
    name_or_path: str,
    id2label: Mapping[int, str] | None = None,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load an encoder with a softmax head over words.

    Args:
        name_or_path (`str`): Hub id or local folder, in safetensors.
        id2label (`Mapping[int, str]`, *optional*): Give a new head these labels; without it the model must already
            be a token classifier, and keeps its own labels.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository contains.

    Raises:
        OSError: The model does not exist or has no safetensors weights (pickled weights are never read).
        CodeError: `id2label` was given, and the model's own code could not be published again.
        ValueError: The model needs code of its own and `trust_remote_code` is off; or a new head is needed, and the
            class does not say which part of the model is the encoder.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    from .registration import register

    register()
    source = {"revision": revision, "trust_remote_code": trust_remote_code}
    if id2label is None:
        return AutoModelForTokenClassification.from_pretrained(name_or_path, use_safetensors=True, **source)
    # Read the published labels first: the loaded model's configuration will hold the new ones.
    old_labels = AutoConfig.from_pretrained(name_or_path, **source).id2label
    model = AutoModelForTokenClassification.from_pretrained(
        name_or_path,
        use_safetensors=True,
        ignore_mismatched_sizes=True,  # a head with another number of labels is replaced
        **_labels(id2label),
        **source,
    )
    carry_code(model)  # fail before the training, not after it, if the code cannot be published
    if len(old_labels) == len(id2label) and old_labels != dict(id2label):
        # A head of the same size would be kept, its rows now standing for other labels.
        return _with_new_head(model)
    return model


def load_with_crf(
    name_or_path: str,
    tokenizer: Any,
    id2label: Mapping[int, str],
    *,
    head_size: int = 0,
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """Load a published encoder with a new head and a CRF over words (Zhou et al. 2021: BioBERT-CRF).

    A model of this package that labels words keeps its own output layer.

    Args:
        name_or_path (`str`): Hub id or local folder of an encoder or token classifier, in safetensors.
        tokenizer (`PreTrainedTokenizerFast`): The tokenizer as it will be used.
        id2label (`Mapping[int, str]`): The labels.
        head_size (`int`, *optional*, defaults to 0): Width between two linear layers; 0 stands for one layer.
        revision (`str`, *optional*): Branch, tag or commit on the Hub.
        trust_remote_code (`bool`, *optional*, defaults to `False`): Run code that the repository contains.

    Raises:
        OSError: The model does not exist or has no safetensors weights.
        ValueError: The encoder is of no architecture that transformers knows, or needs code while
            `trust_remote_code` is off.
    """
    from transformers import AutoConfig

    from .registration import register
    from .transformer_crf import TransformerCrfForTokenClassification

    register()
    source = {"revision": revision, "trust_remote_code": trust_remote_code}
    config = AutoConfig.from_pretrained(name_or_path, **source)
    if hasattr(config, "output_layer"):
        return load_token_classifier(name_or_path, id2label, **source)
    model = TransformerCrfForTokenClassification.from_encoder(
        name_or_path, tokenizer, id2label, head_size=head_size, **source
    )
    carry_code(model)
    return model


def build_token_classifier(
    architecture: Mapping[str, Any], id2label: Mapping[int, str], vocab_size: int, pad_token_id: int
) -> Any:
    """Build a randomly initialised token classifier from configuration values.

    Args:
        architecture (`Mapping`): `model_type` (any that transformers knows, such as `bert`) and values of its
            configuration (`hidden_size`, `num_hidden_layers`, …).
        id2label (`Mapping[int, str]`): Label of each output.
        vocab_size (`int`): Number of pieces of the tokenizer, tags included.
        pad_token_id (`int`): Padding id of the tokenizer.

    Raises:
        ValueError: `model_type` is missing; or a value is not part of that model's configuration, or is decided by
            the tokenizer or the labels.
    """
    from transformers import AutoConfig, AutoModelForTokenClassification

    from .registration import register

    register()
    values = dict(architecture)
    model_type = values.pop("model_type", None)
    if not model_type:
        raise ValueError(f"a model from scratch needs `model_type` (such as bert) among {sorted(architecture)}")
    # Values that follow from the tokenizer and the label space; a second source could contradict them.
    decided = {**_labels(id2label), "vocab_size": vocab_size, "pad_token_id": pad_token_id}
    clash = sorted(set(values) & {*decided, "num_labels"})
    if clash:
        raise ValueError(f"leave {clash} out of `architecture`: the tokenizer and the label space decide them")
    _check_values(model_type, values)
    if isinstance(encoder := values.get("encoder"), Mapping) and encoder.get("model_type"):
        _check_values(encoder["model_type"], encoder)
    config = AutoConfig.for_model(model_type, **values, **decided)
    return AutoModelForTokenClassification.from_config(config)


def _check_values(model_type: str, values: Mapping[str, Any]) -> None:
    """Refuse misspelt configuration values: configuration classes take any keyword without a word."""
    from transformers import AutoConfig

    known = AutoConfig.for_model(model_type).to_dict()
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{unknown} are not configuration values of {model_type}; known ones include {sorted(known)}")


def carry_code(model: Any) -> tuple[str, ...]:
    """Make a model of a custom class save its code along with its weights.

    `save_pretrained` then copies the files that define the model and its configuration, with the files that they
    import relatively, and `pipeline` and the Auto classes load them where ``trust_remote_code`` is on. Stock models
    need no code and are left alone.

    Args:
        model (`PreTrainedModel`): The model that will be saved.

    Returns:
        Names of the files that travel; none for a stock model.

    Raises:
        CodeError: The code would not run where this package is missing (it imports more than installed libraries and
            files beside it), or the model would be taken for a stock one.

    Example:
        ```python
        carry_code(model)  # ('configuration_my_tagger.py', 'layers.py', 'modeling_my_tagger.py')
        model.save_pretrained(folder)
        ```
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    kinds = [type(model.config), type(model)]
    stock = [kind for kind in kinds if kind.__module__.partition(".")[0] == "transformers"]
    if len(stock) == len(kinds):
        return ()
    model_type = model.config.model_type
    if stock or model_type in CONFIG_MAPPING_NAMES or not model_type:
        raise CodeError(
            f"{type(model).__name__} with {type(model.config).__name__} (model_type {model_type!r}) cannot be "
            "published: where remote code is off it would be taken for a stock model. Give the model a configuration "
            "class of its own with a model_type of its own."
        )
    # All files end up in one folder on the Hub, so two different files must not share a name.
    files: dict[str, Path] = {}
    for path in (path for kind in kinds for path in _code_of(kind)):
        # The cache of remote code keeps a copy of a file for each class that needs it.
        if files.setdefault(path.name, path).read_bytes() != path.read_bytes():
            raise CodeError(
                f"{path.name} is two files, {files[path.name]} and {path}; on the Hub they lie in one folder"
            )
    # `save_pretrained` copies the code of classes that are registered so.
    type(model.config).register_for_auto_class("AutoConfig")
    type(model).register_for_auto_class("AutoModelForTokenClassification")
    return tuple(sorted(files))


def _code_of(kind: type) -> list[Path]:
    """Return the file that defines a class and all files that it imports relatively, also indirectly."""
    source = getattr(sys.modules.get(kind.__module__), "__file__", None)
    if kind.__module__ == "__main__" or source is None:
        raise CodeError(f"{kind.__name__} is defined in {kind.__module__}, which is no file that could travel with it")
    files = [Path(source)]
    for path in files:  # grows while it is walked
        files += [beside for beside in _imported_beside(path, kind.__module__) if beside not in files]
    return files


def _imported_beside(path: Path, module: str) -> Iterator[Path]:
    """Yield the files of its own folder that a file imports; refuse any other import that is not a library's."""
    package, dot, _ = module.partition(".")
    # Packages that will be missing on the Hub: this one, the cache of remote code, and the one the class lives in.
    homes = {_HERE, "transformers_modules", *((package,) if dot else ())}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        # Relative imports must name a file of the same folder.
        if isinstance(node, ast.ImportFrom) and node.level:
            beside = path.parent / f"{node.module}.py"
            if node.level > 1 or not node.module or not beside.is_file():
                raise CodeError(
                    f"{path.name}:{node.lineno} `{ast.unparse(node)}`: code that travels to the Hub is one folder of "
                    "files; write `from .module import name` for a file beside it"
                )
            yield beside
            continue
        # Absolute imports must name an installed library.
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for top in (name.partition(".")[0] for name in names):
            own = (path.parent / f"{top}.py").is_file() and top not in sys.stdlib_module_names
            if top in homes or own:
                raise CodeError(
                    f"{path.name}:{node.lineno} `{ast.unparse(node)}`: this code travels to the Hub and runs there "
                    f"without {top}. Move what it needs beside it and write `from .module import name`."
                )


def _with_new_head(model: Any) -> Any:
    """Return a new model of the same class and configuration that keeps only the encoder's weights."""
    if model.base_model is model:
        raise ValueError(
            f"{type(model).__name__} names no encoder (`base_model_prefix`), so its head cannot be replaced by one "
            f"for the labels {list(model.config.label2id)}; train with its own labels, or add the attribute"
        )
    fresh = type(model)(model.config).to(model.dtype)
    setattr(fresh, model.base_model_prefix, model.base_model)
    return fresh.eval()


def _labels(id2label: Mapping[int, str]) -> dict[str, Any]:
    """Return the configuration values that hold the labels."""
    return {
        "id2label": dict(id2label),
        "label2id": {label: index for index, label in id2label.items()},
    }
