import importlib.util
import sys
from pathlib import Path

import pytest
import tiny
import yaml

REPOSITORY = Path(__file__).parents[2]
SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
QUICK = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 8,
    "learning_rate": 5e-3,
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
}


@pytest.fixture(scope="session")
def recipe():
    """A recipe's module by name."""

    def load(name):
        spec = importlib.util.spec_from_file_location(f"recipe_{name}", REPOSITORY / "recipes" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def reduced_demo():
    """The demo's own configurations, reduced and moved into a folder; gives the path of distill.yaml there."""

    def reduce(folder, path="recipes/demo/distill.yaml"):
        values = yaml.safe_load((REPOSITORY / path).read_text())
        values["output_dir"] = str(folder / values["output_dir"])
        for corpus in values["corpora"]:
            corpus["path"] = str(folder / corpus["path"])
            corpus["build"] = {
                "script": str(REPOSITORY / corpus["build"]["script"]),
                "output": str(folder / corpus["build"]["output"]),
                "options": {"train": 48, "validation": 12, "test": 12},
            }
        model = values.get("student") or values["model"]
        model["architecture"] |= SMALL
        model["vocab_size"] = 300
        values["training"] |= QUICK
        for teacher in values.get("teachers", []):
            teacher["finetune"] = str(reduce(folder, teacher["finetune"]))
        folder.mkdir(parents=True, exist_ok=True)
        reduced = folder / Path(path).name
        reduced.write_text(yaml.safe_dump(values, sort_keys=False))
        return reduced

    return reduce


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """Values of a distillation on three tiny corpora with ready teachers, and nothing else."""
    root = tmp_path_factory.mktemp("tiny_run")
    kinds = {"dis": "Disease", "chem": "Chemical", "gene": "Gene"}
    corpora = [
        {"name": name, "path": tiny.write_corpus(root / "corpora", name, (kind,))} for name, kind in kinds.items()
    ]
    teachers = [
        {"name": kind, "path": tiny.save_teacher(root / kind, tiny.bio(kind), seed=seed)}
        for seed, kind in enumerate(kinds.values())
    ]
    return {
        "corpora": corpora,
        "teachers": teachers,
        "student": {"architecture": dict(tiny.ARCHITECTURE), "vocab_size": 200},
        "encoding": {"max_length": 64},
        "training": {**QUICK, "num_train_epochs": 1, "logging_steps": 5},
    }
