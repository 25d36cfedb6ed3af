"""A picture of each random initializer: the numbers that it draws, and the density that it claims.

    python -m oracle.report.densities FILE.svg

The picture is one SVG that needs nothing else. Lines and letters take the colour of the text around it, and
the bars ``--accent`` where a page defines it, so that it can stand on light and on dark pages alike.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reference import init, random

from ..truth.claims import CLAIMS, Claim
from ..truth.laws import Law, law_of

__all__ = ["PANELS", "Panel", "density", "histogram", "svg"]

Array = np.ndarray[Any, Any]

_WIDTH, _HEIGHT, _MARGIN, _COLUMNS, _BINS = 300, 190, 24, 3, 60


@dataclass(frozen=True)
class Panel:
    """One initializer with its arguments: what of it is drawn."""

    op: str
    shape: tuple[int, ...]
    arguments: Mapping[str, Any]
    times: int = 1  #: that the array is drawn

    @property
    def title(self) -> str:
        """The call, as it would be written."""
        settings = [f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.arguments.items()]
        return f"{self.op}({', '.join(['×'.join(map(str, self.shape)), *settings])})"

    @property
    def claim(self) -> Claim:
        """What the initializer claims of its numbers."""
        return CLAIMS[self.op](self.shape, **self.arguments)

    def drawn(self) -> Array:
        """The numbers that it draws from seed 0; zeros that it places are left out."""
        generator = random.Generator().manual_seed(0)
        before = random.default_generator.get_state()
        random.manual_seed(0)  # the rows of sparse_ come from the default generator
        try:
            x = np.stack([getattr(init, self.op)(np.empty(self.shape, np.float32), **self.arguments,
                                                 generator=generator) for _ in range(self.times)])
        finally:
            random.default_generator.set_state(before)
        return np.asarray(x[x != 0] if self.claim.zeros else x.reshape(-1))


PANELS: Sequence[Panel] = (
    Panel("uniform_", (200, 200), {"a": -1.0, "b": 2.0}),
    Panel("normal_", (200, 200), {"mean": 1.0, "std": 0.5}),
    Panel("trunc_normal_", (200, 200), {"std": 1.0, "a": -1.0, "b": 2.0}),
    Panel("xavier_uniform_", (100, 300), {"gain": 5 / 3}),
    Panel("xavier_normal_", (100, 300), {"gain": 1.0}),
    Panel("kaiming_uniform_", (64, 32, 3, 3), {"a": math.sqrt(5)}),
    Panel("kaiming_normal_", (64, 32, 3, 3), {"nonlinearity": "relu"}),
    Panel("orthogonal_", (8, 8), {"gain": 1.0}, times=500),
    Panel("sparse_", (200, 200), {"sparsity": 0.4, "std": 0.01}),
)


def density(claim: Claim, x: Array, rows: int = 0) -> Array:
    r"""The density of a claim; for orthogonal matrices that of one entry of a square one.

    A column of a uniform orthogonal matrix is uniform on the sphere in m dimensions, and so one entry has

    .. math:: p(x) = \frac{\Gamma(m/2)}{\sqrt\pi \, \Gamma((m-1)/2) \, g} (1 - x^2/g^2)^{(m-3)/2}

    >>> density(Claim.uniform(0.0, 2.0), np.array([-1.0, 1.0]))
    array([0. , 0.5])
    """
    if claim.kind == "orthogonal":
        size = math.exp(math.lgamma(rows / 2) - math.lgamma((rows - 1) / 2)) / math.sqrt(math.pi)
        rest = np.clip(1 - (x / claim.std) ** 2, 0.0, None)
        return np.asarray(size / claim.std * rest ** ((rows - 3) / 2))
    inside = (x >= claim.low) & (x <= claim.high)
    if claim.kind == "uniform":
        return np.where(inside, 1 / (claim.high - claim.low), 0.0)
    law = law_of(claim)
    assert isinstance(law, Law), f"a constant has no density: {claim}"
    highest_at = min(max(claim.mean, claim.low), claim.high)
    z, nearest = (x - claim.mean) / claim.std, (highest_at - claim.mean) / claim.std
    peak = (1 - float(claim.zeros)) * law.peak / law.unit
    return np.where(inside, peak * np.exp((nearest - z) * (nearest + z) / 2), 0.0)


def histogram(panel: Panel) -> tuple[Array, Array]:
    """Heights of the bars, as densities, and the edges between them."""
    x, claim = panel.drawn(), panel.claim
    spread = float(np.abs(x - claim.mean).max())
    low, high = max(claim.low, claim.mean - spread), min(claim.high, claim.mean + spread)
    counts, edges = np.histogram(x, _BINS, (low, high))
    share = 1 - float(claim.zeros)
    return np.asarray(share * counts / (x.size * np.diff(edges))), np.asarray(edges)


def svg(panels: Sequence[Panel] = PANELS) -> str:
    """The picture: one panel for each initializer, three in a row."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = min(len(panels), _COLUMNS) * _WIDTH, rows * _HEIGHT
    parts = [_draw_panel(panel, i % _COLUMNS * _WIDTH, i // _COLUMNS * _HEIGHT) for i, panel in enumerate(panels)]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        'fill="none" stroke="currentColor" font-family="sans-serif" font-size="11">',
        "<title>What each random initializer draws (bars), and the density that it claims (line)</title>",
        *parts, "</svg>", ""])


def _draw_panel(panel: Panel, left: float, top: float) -> str:
    heights, edges = histogram(panel)
    x = np.linspace(edges[0], edges[-1], 241)
    curve = density(panel.claim, x, panel.shape[0])
    scale = (_HEIGHT - 3 * _MARGIN) / max(float(curve.max()), float(heights.max()))
    floor = top + _HEIGHT - _MARGIN
    across = left + _MARGIN + (np.concatenate([x, edges]) - edges[0]) / (edges[-1] - edges[0]) * (_WIDTH - 2 * _MARGIN)
    line = " ".join(f"{a:.1f},{floor - scale * b:.1f}" for a, b in zip(across[:241], curve, strict=True))
    steps = " ".join(f"H{b:.1f}V{floor - scale * h:.1f}" for b, h in zip(across[241:-1], heights, strict=True))
    note = f"{float(panel.claim.zeros):.0%} zeros not shown" if panel.claim.zeros else ""
    return "\n".join([
        f'<path d="M{across[241]:.1f},{floor} {steps} H{across[-1]:.1f} V{floor}Z" stroke="none" '
        'fill="var(--accent, #6a8fd8)" fill-opacity="0.55"/>',
        f'<polyline points="{line}" stroke-width="1.5"/>',
        f'<path d="M{left + _MARGIN},{floor} h{_WIDTH - 2 * _MARGIN}" stroke-opacity="0.5"/>',
        '<g stroke="none" fill="currentColor">',
        f'<text x="{left + _MARGIN}" y="{top + _MARGIN}">{panel.title}</text>',
        f'<text x="{left + _MARGIN}" y="{floor + 14}">{edges[0]:.3g}</text>',
        f'<text x="{left + _WIDTH / 2}" y="{floor + 14}" text-anchor="middle">{note}</text>',
        f'<text x="{left + _WIDTH - _MARGIN}" y="{floor + 14}" text-anchor="end">{edges[-1]:.3g}</text>', "</g>"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m oracle.report.densities FILE.svg")
    Path(sys.argv[1]).write_text(svg(), encoding="utf-8")
