"""Makes transformers know this package's models by name, in this process."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForTokenClassification
from transformers.pipelines import PIPELINE_REGISTRY

from .bilstm_crf import BiLstmCrfForTokenClassification
from .pipelines import WordTaggingPipeline
from .transformer_crf import TransformerCrfForTokenClassification


def register() -> None:
    """Register the models with the Auto classes, and their pipeline; may be called again.

    Stock models go on getting the stock pipeline, see :class:`WordTaggingPipeline`.
    """
    for model in (BiLstmCrfForTokenClassification, TransformerCrfForTokenClassification):
        AutoConfig.register(model.config_class.model_type, model.config_class, exist_ok=True)
        AutoModelForTokenClassification.register(model.config_class, model, exist_ok=True)
    task = PIPELINE_REGISTRY.supported_tasks["token-classification"]
    # In place: `register_pipeline` would warn of the task that it replaces.
    task["impl"] = WordTaggingPipeline


register()
