"""Registration of this package's models with transformers; importing this module registers them in this process."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForTokenClassification
from transformers.pipelines import PIPELINE_REGISTRY

from .bilstm_crf import BiLstmCrfForTokenClassification
from .pipelines import WordTaggingPipeline
from .transformer_crf import TransformerCrfForTokenClassification


def register() -> None:
    """Register the models with the Auto classes, and their pipeline; further calls change nothing.

    Stock models still get the stock pipeline, see :class:`WordTaggingPipeline`.
    """
    for model in (BiLstmCrfForTokenClassification, TransformerCrfForTokenClassification):
        AutoConfig.register(model.config_class.model_type, model.config_class, exist_ok=True)
        AutoModelForTokenClassification.register(model.config_class, model, exist_ok=True)
    task = PIPELINE_REGISTRY.supported_tasks["token-classification"]
    # The table is changed in place because `register_pipeline` (transformers 5.23) warns when it replaces a task.
    task["impl"] = WordTaggingPipeline


register()
