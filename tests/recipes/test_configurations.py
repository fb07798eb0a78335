"""Every YAML of a run in recipes/ against the script it is for."""

from pathlib import Path

import pytest
import yaml

from hf_bionerkd.encoding.word_vocabulary import build_word_vocabulary
from hf_bionerkd.inference.word_tagger import longest_input
from hf_bionerkd.labels import LabelSpace
from hf_bionerkd.models.auto import build_token_classifier
from hf_bionerkd.runs.arguments import training_arguments
from hf_bionerkd.runs.config import DistillConfig, FinetuneConfig
from hf_bionerkd.runs.config_loading import load_config
from hf_bionerkd.runs.config_sections import BILSTM
from hf_bionerkd.runs.recorrect_config import RecorrectConfig

REPOSITORY = Path(__file__).parents[2]
# Configurations of other programs, each parsed by the tests of its own.
OTHERS = {"recipes/zhou2021/weak.yaml", "recipes/zhou2021/word_vectors.yaml"}
RUNS = sorted(
    {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "recipes").rglob("*.yaml")
        if path.parent.name != "accelerate_configs"
    }
    - OTHERS
)


def load(path):
    keys = yaml.safe_load((REPOSITORY / path).read_text())
    assert ("student" in keys) != ("model" in keys), f"{path}: neither a distillation nor a fine-tuning, or both"
    kind = DistillConfig if "student" in keys else RecorrectConfig if "weak" in keys else FinetuneConfig
    return load_config(kind, REPOSITORY / path)


def test_the_demo_and_the_paper_are_there():
    assert {"recipes/demo/distill.yaml", "recipes/taughtnet/scratch_cpu.yaml"} <= set(RUNS)
    assert all((REPOSITORY / path).is_file() for path in OTHERS)


@pytest.mark.parametrize("path", RUNS)
def test_configuration_fits_its_script(path):
    config = load(path)
    assert not config.resume and not config.overwrite
    for values in (config.training, getattr(config, "weak_training", {})):
        training_arguments({**values, "use_cpu": True, "bf16": False}, output_dir="out", seed=config.seed)
    for corpus in config.corpora:
        if corpus.build is not None:
            assert (REPOSITORY / corpus.build.script).is_file(), corpus.build.script
            assert Path(corpus.path).is_relative_to(corpus.build.output)
    if isinstance(config, DistillConfig):
        for teacher in config.teachers:
            assert not teacher.finetune or isinstance(load(teacher.finetune), FinetuneConfig), teacher.finetune


@pytest.mark.parametrize("path", RUNS)
def test_every_path_is_relative_and_no_two_runs_share_a_folder(path):
    config = load(path)
    for name in (config.output_dir, *(corpus.path for corpus in config.corpora)):
        assert not Path(name).is_absolute() and ".." not in Path(name).parts, name
    others = [load(other).output_dir for other in RUNS if other != path]
    assert config.output_dir not in others


@pytest.mark.parametrize("path", RUNS)
def test_a_model_from_scratch_can_be_built_and_reads_what_it_is_given(path):
    config = load(path)
    model = config.student if isinstance(config, DistillConfig) else config.model
    if model.architecture and model.architecture["model_type"] != BILSTM:
        small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        space = LabelSpace(("Gene",))
        built = build_token_classifier({**model.architecture, **small}, space.id2label, 50, 0)
        assert config.encoding.max_length <= built.config.max_position_embeddings


@pytest.mark.parametrize("path", RUNS)
def test_a_bilstm_can_be_built_and_has_the_vectors_that_a_recipe_makes(path):
    config = load(path)
    model = config.student if isinstance(config, DistillConfig) else config.model
    if model.architecture.get("model_type") == BILSTM:
        vocabulary = build_word_vocabulary([["Aspirin", "helps"]])
        space = LabelSpace(("Gene",))
        built = build_token_classifier({**model.architecture, "hidden_size": 8}, space.id2label, 50, 0)
        built.set_vocabulary(vocabulary.tables)
        assert config.encoding.max_length <= longest_input(built, vocabulary.tokenizer)
        assert config.encoding.tag_pair == "none"  # to a BiLSTM a tag is one more word
        if model.vectors:
            vectors = yaml.safe_load((REPOSITORY / "recipes" / "zhou2021" / "word_vectors.yaml").read_text())
            assert model.vectors == vectors["output_dir"]
            assert built.config.word_embedding_size == vectors["skip_gram"]["width"]


@pytest.mark.parametrize(
    "path", [path for path in RUNS if "student" in yaml.safe_load((REPOSITORY / path).read_text())]
)
def test_teachers_are_trained_on_the_corpora_of_the_run(path):
    config = load(path)
    corpora = {corpus.name: corpus for corpus in config.corpora}
    for teacher in config.teachers:
        for corpus in load(teacher.finetune).corpora if teacher.finetune else []:
            assert corpus == corpora[corpus.name], f"{path} and {teacher.finetune} disagree on {corpus.name}"
