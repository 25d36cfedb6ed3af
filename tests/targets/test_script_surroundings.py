"""Scripts rebuild surroundings: without this project they give what the target gives, to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from oracle.cases.case import parse
from oracle.targets.loading import load

_SAVE = """
plain = {name: value.view(torch.int16) if value.dtype is torch.bfloat16 else value for name, value in got.items()
         if isinstance(value, torch.Tensor)}
np.savez("got.npz", **{name: value.detach().numpy() for name, value in plain.items()})
"""


@pytest.mark.parametrize("case_id", [
    "mse_loss/float32/reduction=none@size=32769",
    "cross_entropy/float32/reduction=none@size=33,memory=strided",
    "Adam/float32/start=zero,steps=2@size=33x17,memory=broadcast:gradient",
    "SGD/bfloat16/start=zero,steps=2,momentum=0.9@size=16",
    "SGD/float32/start=zero,steps=2,momentum=0.9@tensors=33",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=file",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=option:lr",
    "SGD/float32/start=zero,steps=2,layout=groups@event=joins",
    "Adam/float32/start=zero,steps=2@size=32769,threads=3",
    "normal_/float32/default@memory=strided"])
def test_a_script_gives_what_torch_gives(case_id: str, tmp_path: Path) -> None:
    case = parse(case_id)
    (target,) = load(["torch:eager"], "cpu")
    source = target.script(case)
    assert len(source) < 12_000
    assert "oracle" not in source
    (tmp_path / "script.py").write_text(source + _SAVE)
    done = subprocess.run([sys.executable, "-I", "script.py"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    given = target.run(case)
    with np.load(tmp_path / "got.npz") as got:
        assert {*given} - {*got} <= {"overwritten"}
        assert {*got} <= {*given}
        for name in got:
            assert got[name].tobytes() == given[name].astype(given[name].dtype).tobytes(), name
    for part, said in (("memory", "def placed"), ("threads", "torch.set_num_threads(3)"), ("file", "torch.save"),
                       ("option:lr", "group.update({'lr': "), ("joins", "add_param_group")):
        assert (said in source) is (part in case_id)


def test_what_is_written_beside_an_array_is_counted_by_the_script(tmp_path: Path) -> None:
    (target,) = load(["torch:eager"], "cpu")
    source = target.script(parse("SGD/float32/start=zero,steps=2,momentum=0.9@size=33x17,memory=strided:parameter"))
    wrong = source.replace("optimizer = make()\n", "optimizer = make()\n"
                           "torch.as_strided(params[0].data, (2,), (1,), params[0].storage_offset()).fill_(1)\n", 1)
    for text, count in ((source, 0), (wrong, 1)):
        (tmp_path / "script.py").write_text(text + "print(int(got['overwritten']))\n")
        done = subprocess.run([sys.executable, "-I", "script.py"], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout.split() == [str(count)], done.stderr
