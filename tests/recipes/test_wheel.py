"""The wheel, installed outside the checkout: its program, its build scripts and its demo."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SIZES = {"train": 48, "validation": 12, "test": 12}
QUICK = ("training.num_train_epochs=1", "training.use_cpu=true", "training.bf16=false", "training.disable_tqdm=true")


def reduced(model):
    """Overrides that make the demo's only corpus and the model of this key small."""
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    architecture = (f"{model}.architecture.{key}={value}" for key, value in sizes.items())
    return (f"corpora.0.build.options={SIZES}", f"{model}.vocab_size=300", *architecture, *QUICK)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without a network."""
    if not shutil.which("git") or not (REPOSITORY / "pyproject.toml").exists():
        pytest.skip("not a checkout")
    pytest.importorskip("hatchling", reason="the backend is part of the extra `test`")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder]
    done = subprocess.run([*command, REPOSITORY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def bionerkd(wheel, tmp_path_factory):
    """Runs the program of an environment that holds the wheel and sees only the dependencies of this one."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--quiet", wheel]
    done = subprocess.run(install, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A folder that a .pth file adds is searched, but its own .pth files are not read: no editable installation.
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "BIONERKD_CORPORA")}

    def run(cwd, *words, program="bionerkd"):
        command = [str(folder / "bin" / program), *map(str, words)]
        return subprocess.run(
            command, cwd=cwd, env=inherited | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True, timeout=300
        )

    run.venv = folder
    return run


def test_the_wheel_holds_configurations_build_scripts_types_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "hf_bionerkd/py.typed" in names and "hf_bionerkd/hub/templates/model_card.md" in names
    shipped = [name.removeprefix("hf_bionerkd/shipped/") for name in names if name.startswith("hf_bionerkd/shipped/")]
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True).stdout.splitlines()
    wanted = [
        name
        for name in listed
        if name.startswith(("dataset_scripts/", "recipes/space/"))
        or (name.startswith("recipes/") and name.endswith(".yaml"))
    ]
    assert set(wanted) <= set(shipped) and len(wanted) > 50
    assert all(name.startswith(("hf_bionerkd/", "hf_bionerkd-")) for name in names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name or "bench_aggregate" in name]


def test_the_program_runs_outside_the_checkout(bionerkd, tmp_path):
    done = bionerkd(tmp_path, "-c", "import hf_bionerkd; print(hf_bionerkd.__file__)", program="python")
    assert Path(done.stdout.strip()).is_relative_to(bionerkd.venv), done.stderr
    done = bionerkd(tmp_path, "--help")
    assert done.returncode == 0 and "\n  distill " in done.stdout
    done = bionerkd(tmp_path, "build", "demo", "--output", "data/demo", *(f"--{k}={v}" for k, v in SIZES.items()))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["demo-disease: built", "demo-chemical: built", "demo-gene: built"]
    done = bionerkd(tmp_path, "build", "demo_weak", "--output", "data/weak", *(f"--{k}={v}" for k, v in SIZES.items()))
    assert done.returncode == 0 and "coverage: built" in done.stdout, done.stderr


def test_configurations_that_came_along_make_a_teacher_and_a_student_in_an_empty_folder(bionerkd, tmp_path):
    done = bionerkd(tmp_path, "finetune", "--config", "recipes/demo/teacher_disease.yaml", *reduced("model"))
    assert done.returncode == 0, done.stderr
    teacher = tmp_path / "runs" / "demo" / "teachers" / "disease"
    assert (teacher / "model.safetensors").is_file() and f"model: {teacher.relative_to(tmp_path)}" in done.stdout
    assert (tmp_path / "data" / "demo" / "demo-disease" / "manifest.json").is_file()
    # The student learns from that teacher alone, so that nothing else is trained.
    corpus = "corpora=[{name: demo-disease, path: data/demo/demo-disease}]"
    taught = (corpus, f"teachers=[{{name: disease, path: {teacher}}}]", "baselines=[]")
    done = bionerkd(tmp_path, "distill", *taught, *reduced("student")[1:])
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "demo" / "distill" / "student" / "model.safetensors").is_file()
    assert "student: runs/demo/distill/student" in done.stdout and "strict F1 on test" in done.stdout
