import math

import pytest
import torch
from pushing import model_folder
from safetensors.torch import save_file

from hf_bionerkd.hub.push import PushOptions, plan_push, push_folder
from hf_bionerkd.hub.weights import WeightsError, non_finite_tensors, refuse_non_finite

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_found_in_every_floating_point_format(tmp_path, dtype, value):
    path = tmp_path / "model.safetensors"
    odd = torch.zeros(3, dtype=torch.int8)  # what follows it is not aligned
    largest = torch.full((5,), torch.finfo(dtype).max, dtype=dtype)
    tensors = {"a.odd": odd, "b.fine": -largest, "c.empty": torch.zeros(0, dtype=dtype), "d.broken": largest.clone()}
    save_file(tensors, path)
    assert list(non_finite_tensors(path)) == []
    tensors["d.broken"][3] = value
    save_file(tensors, path, metadata={"format": "pt"})
    assert list(non_finite_tensors(path)) == ["d.broken"]


def test_other_files_are_passed_over(tmp_path):
    for name, content in {"notes.txt": b"nan", "x.safetensors": b"weights", "y.safetensors": b"\xff" * 40}.items():
        (tmp_path / name).write_bytes(content)
    save_file({}, tmp_path / "none.safetensors")
    refuse_non_finite(tmp_path, [path.name for path in tmp_path.iterdir()])


def test_a_model_of_nan_is_neither_planned_nor_pushed(tmp_path):
    """Before the Hub is asked for anything: tests have no network."""
    folder = model_folder(tmp_path / "student")
    save_file({"classifier.weight": torch.tensor([0.5, math.nan])}, folder / "model.safetensors")
    for act in (plan_push, push_folder):
        with pytest.raises(WeightsError, match=r"student/model.safetensors.*`classifier.weight` hold NaN"):
            act(folder, PushOptions("org/student"))
