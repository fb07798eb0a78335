"""The workshop: declared packages, the Makefile, the pinned versions and what CI runs."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_name(requirement: str) -> str:
    return canonical(re.match(r"[\w.-]+", requirement)[0])


def packages_used(source: str) -> set[str]:
    """Top-level names that a source imports or probes for, lazily too."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            if ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__", "find_spec", "version"):
                names.add(str(node.args[0].value))
    return {name.split(".")[0] for name in names if name and not name.startswith(".")}


def test_packages_used_finds_imports_and_probes() -> None:
    source = (
        "import a.b\nfrom c.d import e\nfrom .own import f\n"
        "def g():\n    import h\n    return find_spec('i.j') or importlib.metadata.version('k')\n"
    )
    assert packages_used(source) == {"a", "c", "h", "i", "k"}


def test_every_package_that_package_and_recipes_use_is_declared() -> None:
    extras = {name: items for name, items in PROJECT["optional-dependencies"].items() if name != "test"}
    declared = {requirement_name(r) for r in [*PROJECT["dependencies"], *sum(extras.values(), [])]}
    distributions = importlib.metadata.packages_distributions()
    missing = []
    for folder in ("hf_bionerkd", "recipes", "dataset_scripts"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            own = {
                "hf_bionerkd",
                "recipes",
                "dataset_scripts",
                *(beside.stem for folder in (path.parent, path.parent.parent) for beside in folder.glob("*.py")),
                *(beside.parent.name for beside in path.parent.parent.glob("*/*.py")),
            }
            for name in sorted(packages_used(path.read_text(encoding="utf-8")) - own - sys.stdlib_module_names):
                if not {canonical(d) for d in distributions.get(name, [name])} & declared:
                    missing.append(f"{path.relative_to(REPOSITORY)} uses {name}: declare it in pyproject.toml")
    assert not missing, "\n".join(missing)


def constraints() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonical(name): version for name, version in pins}


def test_constraints_pin_every_declared_package() -> None:
    declared = [*PROJECT["dependencies"], *sum(PROJECT["optional-dependencies"].values(), [])]
    missing = {requirement_name(requirement) for requirement in declared} - set(constraints())
    assert not missing, f"run `make constraints`: {sorted(missing)} are not pinned"


def test_constraints_hold_on_any_linux_machine() -> None:
    """No build suffix (`+cpu`) and no GPU library: both depend on the machine that the file was made on."""
    pins = constraints()
    assert not [version for version in pins.values() if "+" in version]
    assert not [name for name in pins if name.startswith(("nvidia", "cuda", "triton"))]
    assert f"TORCH := torch=={pins['torch']}\n" in MAKEFILE


@pytest.mark.parametrize("name", ["Makefile", "constraints.txt", "tests/transformers-4.57.txt", ".ci/run"])
def test_installation_names_no_host(name: str) -> None:
    assert "://" not in (REPOSITORY / name).read_text(encoding="utf-8")


def make(*arguments: str, cwd: Path = REPOSITORY, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, whatever make this test itself was started by."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "PYTHON", "PIP_ARGS")}
    return subprocess.run(
        ["make", *arguments], cwd=cwd, env=inherited | environment, capture_output=True, text=True, check=False
    )


@needs_make
def test_make_alone_lists_every_demo_and_every_documented_target() -> None:
    listing = make().stdout
    targets = re.findall(
        r"^(demo[\w-]*|test|docs|notebooks|lint|format|clean|constraints)\s*:(?!=)", MAKEFILE, re.MULTILINE
    )
    assert {"demo", "docs", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^  make {target} +\S", listing, re.MULTILINE), f"`{target}:` has no ## comment"
    assert make("help").stdout == listing


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with the Makefile and a stand-in for Python that writes down what pip is asked for.

    Its pip fails while a file `offline` exists.
    """
    (tmp_path / "tests").mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tests/transformers-4.57.txt"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    interpreter = tmp_path / "python"
    interpreter.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = -m ] && [ "$2" = venv ]; then mkdir -p .venv/bin && cp "$0" .venv/bin/python; exit; fi\n'
        'if [ "$1" = -m ] && [ "$2" = pip ]; then echo "$*" >> pip.log; test ! -e offline; exit; fi\n'
    )
    interpreter.chmod(0o755)
    return tmp_path


def pip_calls(folder: Path) -> list[str]:
    log = folder / "pip.log"
    return log.read_text().splitlines() if log.exists() else []


@needs_make
def test_installation_takes_torch_alone_and_first_and_happens_once(bare: Path) -> None:
    runtime = ".venv/.installed-runtime"
    assert make(runtime, "PYTHON=./python", "PIP_ARGS=--some-index", cwd=bare).returncode == 0
    calls = pip_calls(bare)
    assert [call.split("-c constraints.txt ")[1] for call in calls] == ["torch==2.13.0", "-e ."]
    assert all("--some-index" in call for call in calls)

    assert make(runtime, "PYTHON=./python", cwd=bare).returncode == 0
    assert pip_calls(bare) == calls


@needs_make
def test_test_installation_covers_the_runtime(bare: Path) -> None:
    assert make(".venv/.installed-test", "PYTHON=./python", cwd=bare).returncode == 0
    calls = pip_calls(bare)
    assert calls[-1].endswith("-e .[test]")
    assert make(".venv/.installed-runtime", "PYTHON=./python", cwd=bare).returncode == 0
    assert pip_calls(bare) == calls


@needs_make
def test_documentation_installation_covers_the_runtime_and_happens_once(bare: Path) -> None:
    stamp = ".venv/.installed-docs"
    assert make(stamp, "PYTHON=./python", cwd=bare).returncode == 0
    calls = pip_calls(bare)
    assert calls[-1].endswith("-e .[docs]")
    for installed in (stamp, ".venv/.installed-runtime"):
        assert make(installed, "PYTHON=./python", cwd=bare).returncode == 0
    assert pip_calls(bare) == calls
    assert "mkdocs build --strict" in make("-n", "docs", "PYTHON=./python", cwd=bare).stdout


SERIES4 = ".venv/transformers-4.57"
SERIES4_STAMP = ".venv/.installed-transformers-4.57"


def test_the_series_before_is_pinned_exactly() -> None:
    lines = (REPOSITORY / "tests" / "transformers-4.57.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins["transformers"].startswith("4.57.") and set(pins) == {"transformers", "huggingface-hub", "tokenizers"}
    assert all(re.fullmatch(r"[\d.]+", version) for version in pins.values())


@needs_make
def test_the_series_before_is_installed_into_a_folder_of_its_own_and_once(bare: Path) -> None:
    (bare / SERIES4 / "left" / "over").mkdir(parents=True)
    assert make(SERIES4_STAMP, "PYTHON=./python", "PIP_ARGS=--some-index", cwd=bare).returncode == 0
    (call,) = pip_calls(bare)
    assert call.endswith(f"--some-index --no-deps --target {SERIES4} -r tests/transformers-4.57.txt")
    assert not (bare / SERIES4 / "left").exists()

    assert make(SERIES4_STAMP, "PYTHON=./python", cwd=bare).returncode == 0
    assert pip_calls(bare) == [call]
    past = (bare / SERIES4_STAMP).stat().st_mtime - 10
    os.utime(bare / SERIES4_STAMP, (past, past))
    (bare / "tests" / "transformers-4.57.txt").touch()
    (bare / "offline").touch()
    assert make(SERIES4_STAMP, "PYTHON=./python", cwd=bare).returncode != 0
    (bare / "offline").unlink()
    assert make(SERIES4_STAMP, "PYTHON=./python", cwd=bare).returncode == 0
    assert len(pip_calls(bare)) == 3  # the failed one is not taken for done


@needs_make
def test_tests_run_after_both_installations(bare: Path) -> None:
    planned = make("-n", "test", "PYTHON=./python", cwd=bare).stdout
    assert planned.index(f"--target {SERIES4}") < planned.index("-m pytest")
    assert planned.index("-e '.[test]'") < planned.index("-m pytest")
    assert SERIES4 not in make("-n", "demo", "PYTHON=./python", cwd=bare).stdout


@needs_make
@pytest.mark.parametrize(("changed", "calls"), [("pyproject.toml", ["-e ."]), ("constraints.txt", ["torch", "-e ."])])
def test_a_changed_declaration_installs_again(bare: Path, changed: str, calls: list[str]) -> None:
    runtime = ".venv/.installed-runtime"
    make(runtime, "PYTHON=./python", cwd=bare)
    before = len(pip_calls(bare))
    # Seconds apart and in the past: stamps made within one tick of the clock would leave the order to chance.
    ages = {
        "pyproject.toml": 40,
        "constraints.txt": 40,
        ".venv/bin/python": 40,
        ".venv/.installed-torch": 30,
        runtime: 20,
    }
    now = (bare / runtime).stat().st_mtime
    for name, age in {**ages, changed: 10}.items():
        os.utime(bare / name, (now - age, now - age))
    assert make(runtime, "PYTHON=./python", cwd=bare).returncode == 0
    again = pip_calls(bare)[before:]
    assert len(again) == len(calls)
    assert all(wanted in call for wanted, call in zip(calls, again, strict=True))


@needs_make
def test_a_failed_installation_is_not_taken_for_done(bare: Path) -> None:
    (bare / "offline").touch()
    runtime = ".venv/.installed-runtime"
    assert make(runtime, "PYTHON=./python", cwd=bare).returncode != 0
    assert not list((bare / ".venv").glob(".installed-*"))

    (bare / "offline").unlink()
    assert make(runtime, "PYTHON=./python", cwd=bare).returncode == 0
    assert (bare / runtime).exists()


@needs_make
def test_a_lost_interpreter_is_found_again_and_everything_installed_anew(bare: Path) -> None:
    runtime = ".venv/.installed-runtime"
    make(runtime, "PYTHON=./python", cwd=bare)
    before = pip_calls(bare)
    (bare / ".venv/bin/python").unlink()
    assert make(runtime, "PYTHON=./python", cwd=bare).returncode == 0
    assert pip_calls(bare) == before * 2


@needs_make
@pytest.mark.parametrize("body", [None, "exit 1"])
def test_no_suitable_python_is_said_with_what_to_do(bare: Path, body: str | None) -> None:
    """Missing, or there and unable: too old, without venv, or a shim for a version that is not installed."""
    if body:
        (bare / "python").write_text(f"#!/bin/sh\n{body}\n")
    else:
        (bare / "python").unlink()
    result = make(".venv/bin/python", "PYTHON=./python", cwd=bare)
    assert result.returncode != 0
    assert "found no Python 3.11 or newer" in result.stderr
    assert "tried: ./python" in result.stderr
    assert "PYTHON=/path/to/python3" in result.stderr
    assert not (bare / ".venv").exists()


@needs_make
def test_clean_keeps_runs_data_and_the_environment(bare: Path) -> None:
    kept = [bare / name / "file" for name in ("runs", "data", ".venv", "hf_bionerkd")]
    gone = [
        bare / name / "file"
        for name in ("build", "dist", "site", "x.egg-info", ".mypy_cache", "hf_bionerkd/__pycache__")
    ]
    for path in [*kept, *gone]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    make("clean", cwd=bare)
    assert all(path.exists() for path in kept)
    assert not [path for path in gone if path.exists()]


@needs_make
@pytest.mark.parametrize(("smi", "device"), [("echo 'GPU 0: some card'", "gpu"), ("exit 9", "cpu")])
def test_demo_launches_with_the_configuration_for_the_machine(bare: Path, smi: str, device: str) -> None:
    (bare / "nvidia-smi").write_text(f"#!/bin/sh\n{smi}\n")
    (bare / "nvidia-smi").chmod(0o755)
    planned = make("-n", "demo", cwd=bare, PATH=f"{bare}:{os.environ['PATH']}", OMP_NUM_THREADS="3").stdout
    launch = planned.splitlines()[-1]
    assert launch == (
        "OMP_NUM_THREADS=3 .venv/bin/python -m hf_bionerkd.runs.launcher "
        f"--config_file recipes/accelerate_configs/{device}.yaml recipes/distill.py resume=true"
    )


def ci(folder: Path, make_exits: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of .ci/run in `folder`/project, with a stand-in for make that says how it was called."""
    script = folder / "project" / ".ci" / "run"
    script.parent.mkdir(parents=True)
    shutil.copy(REPOSITORY / ".ci" / "run", script)
    (folder / "bin").mkdir()
    (folder / "bin" / "make").write_text(
        f'#!/bin/sh\necho "make $* in $PWD with ${{BIONERKD_CORPORA-nothing}}"\nexit {make_exits}\n'
    )
    (folder / "bin" / "make").chmod(0o755)
    inherited = {key: value for key, value in os.environ.items() if key != "BIONERKD_CORPORA"}
    path = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", str(script)],
        cwd=folder,
        env=inherited | path | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ci_is_executable_and_runs_make_test_alone(tmp_path: Path) -> None:
    assert (REPOSITORY / ".ci" / "run").stat().st_mode & stat.S_IXUSR
    assert ci(tmp_path).stdout == f"make test in {tmp_path}/project with nothing\n"


def test_ci_finds_the_real_corpora_beside_the_project(tmp_path: Path) -> None:
    corpora = tmp_path / "shared" / "corpora"
    corpora.mkdir(parents=True)
    assert ci(tmp_path).stdout == f"make test in {tmp_path}/project with {corpora}\n"


def test_ci_leaves_a_given_corpora_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "shared" / "corpora").mkdir(parents=True)
    assert ci(tmp_path, BIONERKD_CORPORA="elsewhere").stdout.endswith("with elsewhere\n")


def test_ci_fails_when_the_tests_fail(tmp_path: Path) -> None:
    assert ci(tmp_path, make_exits=2).returncode == 2


def test_every_pain_that_contributing_lists_is_held_by_a_test() -> None:
    listed = re.findall(r"^\| (\d+) \|", (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "tests").rglob("test_*.py"))
    held = set(re.findall(r"def test_\w*?pain_(\d+)\(", tests))
    assert set(listed) == held and len(listed) == 23
