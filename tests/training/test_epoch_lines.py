import os
import re
import sys
from pathlib import Path

import pytest
import tiny
from at_terminal import run_at_terminal
from transformers import PrinterCallback, ProgressCallback
from transformers.trainer_callback import TrainerControl, TrainerState

from hf_bionerkd.training.epoch_lines import EpochLines, show_epochs

LINE = re.compile(
    r"epoch (\d)/3  loss (\d\.\d{3})(?: \(kd \d\.\d{3}, gold \d\.\d{3}\))?  "
    r"validation F1 (\d+\.\d)(?: \(best(?: \d+\.\d, epoch \d)?\))  \d+ s(, about \d+ s left)?"
)


@pytest.fixture
def corpora(tmp_path):
    return tiny.make_corpora(tmp_path / "corpora", {"a": ("Disease",), "b": ("Chemical", "Gene")})


def trained(corpora, folder, **training):
    job = tiny.make_job(
        corpora,
        {"num_train_epochs": 3, "logging_steps": 4, "eval_strategy": "epoch", "save_strategy": "no", **training},
    )
    trainer = tiny.make_trainer(job, folder)
    show_epochs(trainer)
    trainer.train()
    return trainer


def test_one_line_per_epoch_and_nothing_else(corpora, tmp_path, capsys):
    trainer = trained(corpora, tmp_path / "run", logging_strategy="steps")
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == "" and len(lines) == 3
    matches = [LINE.fullmatch(line) for line in lines]
    assert all(matches), lines
    assert [match[1] for match in matches] == ["1", "2", "3"]
    assert [bool(match[4]) for match in matches] == [True, True, False]
    scores = [entry["eval_f1"] for entry in trainer.state.log_history if "eval_f1" in entry]
    assert [match[3] for match in matches] == [f"{100 * score:.1f}" for score in scores]


def test_the_loss_is_the_mean_over_the_epochs_steps_however_often_it_is_logged(corpora, tmp_path, capsys):
    """Six steps per epoch: logged at each, at every fourth and at the epoch's end, and at its end alone."""
    shown = []
    for steps in (1, 4, 100):
        trained(corpora, tmp_path / str(steps), logging_steps=steps)
        shown.append(re.findall(r"loss (\d\.\d{3})", capsys.readouterr().err))
    assert len(shown[0]) == 3 and shown[0] == shown[1] == shown[2]
    trained(corpora, tmp_path / "none", logging_strategy="no")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(re.match(r"epoch \d/3  validation F1 ", line) for line in lines)


def test_without_evaluation_lines_have_the_loss_alone(corpora, tmp_path, capsys):
    trained(corpora, tmp_path / "run", eval_strategy="no")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(re.match(r"epoch \d/3  loss \d\.\d{3}  \d+ s", line) for line in lines)


def test_evaluations_within_an_epoch_have_lines_of_their_own(corpora, tmp_path, capsys):
    trained(corpora, tmp_path / "run", eval_strategy="steps", eval_steps=4, max_steps=9)
    lines = [
        re.sub(r" \(best.*?\)|\d+\.\d+|\d+ s.*", "", line).rstrip() for line in capsys.readouterr().err.splitlines()
    ]
    assert lines == [
        "step 4/9  validation F1",
        "epoch 1/2  loss",
        "step 8/9  validation F1",
        "step 9/9  validation F1",
        "epoch 2/2  loss",
    ]


def test_the_users_callbacks_stay_and_the_trainers_printers_go(corpora, tmp_path):
    class Own(ProgressCallback):
        pass

    for disabled in (True, False):
        job = tiny.make_job(corpora, {"disable_tqdm": disabled})
        trainer = tiny.make_trainer(job, tmp_path / str(disabled))
        trainer.add_callback(Own())
        for _ in range(2):
            show_epochs(trainer)
        kinds = [type(each) for each in trainer.callback_handler.callbacks]
        assert kinds.count(EpochLines) == 1 and Own in kinds
        assert PrinterCallback not in kinds and ProgressCallback not in kinds


class Scripted:
    """The events of a training as the Trainer sends them, without one."""

    def __init__(self, args, **state):
        self.args, self.control = args, TrainerControl()
        self.state = TrainerState(is_world_process_zero=True, **state)
        self.lines = EpochLines()

    def send(self, event, **kwargs):
        getattr(self.lines, event)(self.args, self.state, self.control, **kwargs)

    def epoch(self, number, metrics):
        self.send("on_epoch_begin")
        self.state.global_step, self.state.epoch = number * 10, float(number)
        self.send("on_epoch_end")
        self.send("on_log", logs={"loss": 0.5})
        self.send("on_evaluate", metrics=metrics)


def arguments(tmp_path, **changes):
    from transformers import TrainingArguments

    return TrainingArguments(str(tmp_path), use_cpu=True, bf16=False, disable_tqdm=True, **changes)


def test_a_resumed_training_knows_the_best_so_far(tmp_path, capsys):
    args = arguments(tmp_path, metric_for_best_model="f1")
    run = Scripted(args, global_step=20, epoch=2.0, max_steps=40, num_train_epochs=4, best_metric=0.919)
    run.state.best_global_step = 10
    run.send("on_train_begin", train_dataloader=[None] * 10)
    run.epoch(3, {"eval_f1": 0.5})
    run.epoch(4, {"eval_f1": 0.92})
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 3/4  loss 0.500  validation F1 50.0 (best 91.9, epoch 1)  0 s, about 5 s left")
    assert second.startswith("epoch 4/4  loss 0.500  validation F1 92.0 (best)  0 s") and "left" not in second


def test_other_scores_and_losses_to_be_lowered(tmp_path, capsys):
    run = Scripted(arguments(tmp_path), max_steps=20, num_train_epochs=2)
    run.send("on_train_begin", train_dataloader=[None] * 10)
    run.epoch(1, {"eval_loss": 0.25, "eval_runtime": 3.0})
    run.epoch(2, {"eval_loss": 0.75})
    assert re.findall(r"validation .*?\)", capsys.readouterr().err) == [
        "validation loss 0.25 (best)",
        "validation loss 0.75 (best 0.25, epoch 1)",
    ]


def test_only_the_main_process_prints_but_all_log_together(tmp_path, capsys):
    run = Scripted(arguments(tmp_path), max_steps=10, num_train_epochs=1)
    run.state.is_world_process_zero = False
    run.send("on_train_begin", train_dataloader=[None] * 10)
    run.epoch(1, {"eval_f1": 0.5})
    assert run.control.should_log
    run.send("on_train_end")
    run.send("on_evaluate", metrics={"eval_f1": 0.5})  # after the training: the caller has its result
    assert capsys.readouterr().err == ""


AT_TERMINAL = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import tiny
from transformers import TrainerCallback
from hf_bionerkd.training.epoch_lines import show_epochs

class Slowly(TrainerCallback):
    def on_step_end(self, *args, **kwargs):
        time.sleep(0.12)

folder = Path(sys.argv[2])
corpora = tiny.make_corpora(folder / "corpora", {"a": ("Disease",)})
training = {"num_train_epochs": 2, "eval_strategy": "epoch", "save_strategy": "no", "disable_tqdm": False}
job = tiny.make_job(corpora, training)
trainer = tiny.make_trainer(job, folder / "run")
trainer.add_callback(Slowly())
show_epochs(trainer)
trainer.train()
"""


@pytest.mark.slow
def test_at_a_terminal_a_bar_runs_within_each_epoch_and_makes_room_for_its_line(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"}
    tests = str(Path(__file__).parents[1])
    shown, code = run_at_terminal([sys.executable, "-c", AT_TERMINAL, tests, str(tmp_path)], environment)
    assert code == 0, shown
    assert re.search(r"epoch 1/2: +\d+%.*\| \d/3 \[", shown) and re.search(r"epoch 2/2: +\d+%", shown)
    visible = [line.split("\r")[-1].strip() for line in shown.split("\n")]
    assert [line[:9] for line in visible if "validation F1" in line] == ["epoch 1/2", "epoch 2/2"]
    assert not [line for line in visible if "step/s" in line]
