"""Scripts rebuild surroundings: without this project they give what the target gives, to the bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oracle.cases.case import parse
from oracle.targets.loading import load
from oracle.targets.pytorch import to_array


def _as_array(value: Any) -> Any:
    return to_array(value) if isinstance(value, torch.Tensor) else np.asarray(value)


@pytest.mark.parametrize("case_id", [
    "mse_loss/float32/reduction=none@size=4097",
    "mse_loss/float32/default@size=1025",
    "hinge_embedding_loss/float32/reduction=none@size=1025",
    "cross_entropy/float32/reduction=none@size=33,memory=strided",
    "Adam/float32/start=zero,steps=2@size=33x17,memory=broadcast:gradient",
    "SGD/bfloat16/start=zero,steps=2,momentum=0.9@size=16",
    "SGD/float32/start=zero,steps=2,momentum=0.9@tensors=33",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=file",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=option:lr",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=shared",
    "SGD/float32/start=zero,steps=2,momentum=0.9@event=closure",
    "SGD/float32/start=zero,steps=2,layout=groups@event=joins",
    "SGD/float32/start=zero,steps=2,momentum=0.9@size=33,tensors=4,beside=bfloat16",
    "Adam/float32/start=zero,steps=2@size=1025,threads=3",
    "normal_/float32/default@memory=strided"])
def test_a_script_gives_what_torch_gives(case_id: str) -> None:
    case = parse(case_id)
    (target,) = load(["torch:eager"], "cpu")
    source = target.script(case)
    assert len(source) < 20_000
    assert "oracle" not in source
    names: dict[str, Any] = {}
    threads = torch.get_num_threads()
    exec(source, names)
    torch.set_num_threads(threads)
    given, got = target.run(case), {name: _as_array(value) for name, value in names["got"].items()}
    assert got.keys() == given.keys()
    for name in got:
        assert got[name].tobytes() == np.asarray(given[name]).astype(got[name].dtype).tobytes(), name
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
