import json
import random

import numpy as np
import pytest
from safetensors.numpy import save_file

from hf_bionerkd.digests import DamagedFileError, write_digests
from hf_bionerkd.hub.snapshots import model_folder
from hf_bionerkd.hub.weights import refuse_damaged


@pytest.fixture
def model(tmp_path):
    save_file({"weight": np.arange(1000, dtype=np.float32)}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (tmp_path / "README.md").write_text("# A card")
    return tmp_path


@pytest.mark.parametrize("seed", range(20))
def test_any_changed_byte_of_a_model_with_digests_is_noticed(model, seed):
    write_digests(model, ["model.safetensors", "config.json"])
    assert model_folder(str(model)) == (model, None)
    (model / "README.md").write_text("# Another card")
    refuse_damaged(model)
    rng = random.Random(seed)
    path = model / rng.choice(["model.safetensors", "config.json"])
    content = bytearray(path.read_bytes())
    if seed % 2:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    else:
        del content[rng.randrange(len(content)) :]
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=f"{path.name} (has changed|is cut off).*overwrite=true"):
        model_folder(str(model))


@pytest.mark.parametrize("cut", [0, 5, 40, 2000])
def test_weights_of_others_that_are_cut_off_are_named(model, cut):
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DamagedFileError, match=rf"{path} is damaged: .*Fetch or copy it again"):
        model_folder(str(model))
    path.write_bytes(b"\xff" * 4000)
    with pytest.raises(DamagedFileError, match=f"{path} is damaged"):
        model_folder(str(model))
