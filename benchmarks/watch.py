"""What ``oracle.watch`` finds in a training, and what it takes: ``python -m benchmarks.watch``.

A small transformer learns a made-up text, by AdamW (fused) with a schedule and clipping, in float32 and bfloat16: with
and without being watched, and with mistakes planted in the optimizer.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

import oracle

VOCABULARY, LENGTH, WIDTH, BATCH = 64, 32, 64, 8


class Model(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Predicts the next letter."""

    def __init__(self) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, text: torch.Tensor) -> Any:
        mask = nn.Transformer.generate_square_subsequent_mask(text.shape[1], dtype=self.head.weight.dtype)
        x = self.letters(text) + self.places(torch.arange(text.shape[1]))
        return self.head(self.layers(x, mask=mask, is_causal=True))


class Wrong(torch.optim.AdamW):  # type: ignore[misc]  # as above
    """AdamW with a mistake: ``beta2`` off by 1e-4, or the last elements of a vector of 16 not stored."""

    mistake = "beta2"

    def step(self, closure: Any = None) -> Any:
        before = [p.detach().clone() for group in self.param_groups for p in group["params"]]
        for group in self.param_groups:
            group["betas"] = (0.9, 0.999 - 1e-4 * (self.mistake == "beta2"))
        result = super().step(closure)
        for group in self.param_groups:
            group["betas"] = (0.9, 0.999)
        if self.mistake == "tail":
            with torch.no_grad():
                for p, old in zip((p for group in self.param_groups for p in group["params"]), before, strict=True):
                    n = (p.numel() - 1) // 16 * 16
                    p.view(-1)[n:] = old.view(-1)[n:]
        return result


def texts(steps: int) -> Iterator[torch.Tensor]:
    """Sequences in which each letter follows from the one before, but for some noise."""
    source = torch.Generator().manual_seed(1)
    for _ in range(steps):
        first = torch.randint(VOCABULARY, (BATCH, 1), generator=source)
        noise = torch.rand(BATCH, LENGTH + 1, generator=source) < 0.1
        yield (first + 5 * torch.arange(LENGTH + 1) + noise) % VOCABULARY


def train(dtype: torch.dtype, steps: int, kind: type[torch.optim.AdamW] = torch.optim.AdamW,
          **watching: Any) -> Iterator[tuple[float, float, Any]]:
    """After each step of a training its seconds, the loss, and what was found (None where it is not watched)."""
    torch.manual_seed(0)
    model = Model().to(dtype)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = kind([{"params": decayed}, {"params": others, "weight_decay": 0.0}], lr=3e-3, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, cycle_momentum=False)
    names = model.named_parameters()
    context: Any = contextlib.nullcontext()
    if watching:
        context = oracle.watch(optimizer, "AdamW", raises=False, named_parameters=names, **watching)
    with context as watched:
        for text in texts(steps):
            start = time.perf_counter()
            loss = nn.functional.cross_entropy(model(text[:, :-1]).flatten(0, 1).float(), text[:, 1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            yield time.perf_counter() - start, loss.item(), watched


def compare(dtype: torch.dtype, steps: int, every: int) -> None:
    """Print what watching finds and takes: two trainings take turns, one of them watched."""
    records = f"watch-{str(dtype).removeprefix('torch.')}.jsonl"
    both = list(zip(train(dtype, steps), train(dtype, steps, every=every, records=records), strict=True))
    watched = both[-1][1][2]
    looked = [both[i - 1][1][0] for i in watched.looked]
    between = [pair for i, pair in enumerate(both, 1) if i not in set(watched.looked)]
    plain, beside = (statistics.median(pair[k][0] for pair in between) for k in (0, 1))
    print(f"{dtype}: loss {both[-1][0][1]:.3f}, watched {both[-1][1][1]:.3f}")
    print(f"  median step {1e3 * plain:.2f} ms, watched {1e3 * beside:.2f} ms between looks: a ratio of "
          f"{beside / plain:.3f}; a step that is looked at takes {statistics.median(looked):.2f} s")
    print(f"{watched}\n")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500, help="of each training (500)")
    parser.add_argument("--every", type=int, default=100, help="how many steps lie between looks (100)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.bfloat16):
        compare(dtype, arguments.steps, arguments.every)
        for mistake in ("beta2", "tail"):
            print(f"{dtype}, with a mistake: {mistake}")
            kind = type(f"Wrong_{mistake}", (Wrong,), {"mistake": mistake})
            start = time.perf_counter()
            *_, (_, _, watched) = train(dtype, 3, kind, every=1)
            print(f"{watched}\n  after {time.perf_counter() - start:.1f} s of 3 steps, all looked at\n")


if __name__ == "__main__":
    main()
