"""Plots as inline SVG, without a script, a font or a colour of their own.

Colours and fonts are the style sheet's: series have the classes ``s0``, ``s1``, …, axes ``axis``, grid lines
``grid``. Many points are one path of dots, about eight characters each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["LogScale", "histogram", "lines", "scatter"]

WIDTH, HEIGHT = 360, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 8, 8, 34
_GAP = 20  #: pixels between the axis and the places of 0 and infinity

_BINS = [2.0**e for e in range(-6, 15)]  #: ends of the bins of a histogram of errors, in ULP
_BENT = (0, -3, 3, -10, 10, -30, 30, -100, 100, -300, 300)  #: decades that a bent axis marks where there is room
_APART = 24  #: pixels between the marks of an axis

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class LogScale:
    """A logarithmic axis from 10^low to 10^high at pixels start to end, with places for 0 and infinity outside.

    With a bend, decades far from 1 are narrower: magnitudes from 1e-308 to 1e308 leave room for those near 1.

    >>> scale = LogScale(-2, 2, 100, 200)
    >>> scale(1.0), scale(0.0), scale(float("inf")), scale(1e9)
    (150.0, 80.0, 220.0, 200.0)
    """

    low: float
    high: float
    start: float
    end: float
    bend: bool = False

    @classmethod
    def around(cls, values: Iterable[float], start: float, end: float, least: float = 0.0, *,
               bend: bool = False) -> LogScale:
        """Whole decades around the positive finite values that are at least so large, two decades or more."""
        exponents = [math.log10(v) for v in values if max(least, 5e-324) <= v < math.inf]
        low, high = math.floor(min(exponents, default=-1)), math.ceil(max(exponents, default=1))
        return cls(low, max(high, low + 2), start, end, bend)

    def __call__(self, value: float) -> float:
        out = math.copysign(_GAP, self.end - self.start)
        if not 0 < value < math.inf:
            return self.start - out if value == 0 else self.end + out
        low, high = self._place(self.low), self._place(self.high)
        share = (self._place(math.log10(value)) - low) / (high - low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def _place(self, exponent: float) -> float:
        return math.asinh(exponent / 3) if self.bend else exponent

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Pixels and labels of some decades."""
        step = max(1, math.ceil((self.high - self.low) / 5))
        chosen = _BENT if self.bend else range(int(self.low), int(self.high) + 1, step)
        places: dict[int, float] = {}
        for e in chosen:
            place = self(10.0**e)
            if self.low <= e <= self.high and all(abs(place - other) > _APART for other in places.values()):
                places[e] = place
        return [(place, _label_of_decade(e)) for e, place in places.items()]


def _label_of_decade(exponent: int) -> str:
    if -2 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    sign = "−" if exponent < 0 else ""
    return f'10<tspan dy="-4" class="exp">{sign}{abs(exponent)}</tspan>'


def _draw_frame(label: str, x_label: str, y_label: str, parts: Iterable[str], height: int = HEIGHT) -> str:
    return (f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
            f'{"".join(parts)}<text class="label" x="{(_LEFT + WIDTH) / 2:g}" y="{height - 3}">{escape(x_label)}</text>'
            + (f'<text class="label" transform="translate(9 {(height - _BOTTOM) / 2:g}) rotate(-90)">'
               f'{escape(y_label)}</text>' if y_label else "") + "</svg>")


def _draw_x_axis(x: LogScale, height: int, extremes: Mapping[str, float]) -> list[str]:
    bottom = height - _BOTTOM
    parts = [f'<path class="grid" d="{"".join(f"M{p:.0f} {_TOP}V{bottom}" for p, _ in x.ticks)}"/>',
             f'<path class="axis" d="M{_LEFT} {bottom}H{WIDTH - _RIGHT}"/>']
    return parts + [f'<text class="tick" x="{p:.0f}" y="{bottom + 13}">{t}</text>'
                    for p, t in [*x.ticks, *((x(v), name) for name, v in extremes.items())]]


def _draw_y_axis(y: LogScale, extremes: Mapping[str, float]) -> list[str]:
    parts = [f'<path class="grid" d="{"".join(f"M{_LEFT} {p:.0f}H{WIDTH - _RIGHT}" for p, _ in y.ticks)}"/>']
    return parts + [f'<text class="tick side" x="{_LEFT - 4}" y="{p + 3:.0f}">{t}</text>'
                    for p, t in [*y.ticks, *((y(v), name) for name, v in extremes.items())]]


def _draw_dots(points: Iterable[tuple[float, float]], style: str) -> str:
    places = dict.fromkeys((round(x), round(y)) for x, y in points)
    return f'<path class="dots {style}" d="{"".join(f"M{x} {y}h0" for x, y in places)}"/>' if places else ""


def scatter(series: Mapping[str, Points], marked: Points, label: str, x_label: str, y_label: str) -> str:
    """Points of some series, and points marked as wrong, on two logarithmic axes."""
    everything = [*marked, *(point for points in series.values() for point in points)]
    x = LogScale.around((p for p, _ in everything), _LEFT + 1.6 * _GAP, WIDTH - _RIGHT - 6, bend=True)
    y = LogScale.around((p for _, p in everything), HEIGHT - _BOTTOM - 1.6 * _GAP, _TOP + 1.3 * _GAP, 1e-3)
    parts = [*_draw_x_axis(x, HEIGHT, {"0": 0.0}), *_draw_y_axis(y, {"0": 0.0, "∞": math.inf}),
             *(_draw_dots(((x(a), y(b)) for a, b in points), f"s{i}") for i, points in enumerate(series.values())),
             _draw_dots(((x(a), y(b)) for a, b in marked), "marked")]
    return _draw_frame(label, x_label, y_label, parts)


def lines(series: Mapping[str, Points], label: str, x_label: str, y_label: str) -> str:
    """One line with dots for each series, on two logarithmic axes."""
    everything = [point for points in series.values() for point in points]
    x = LogScale.around((p for p, _ in everything), _LEFT + 12, WIDTH - _RIGHT - 6)
    y = LogScale.around((p for _, p in everything), HEIGHT - _BOTTOM - 8, _TOP + 6)
    parts = [*_draw_x_axis(x, HEIGHT, {}), *_draw_y_axis(y, {})]
    for i, points in enumerate(series.values()):
        places = [(x(a), y(b)) for a, b in points]
        path = "L".join(f"{a:.0f} {b:.0f}" for a, b in places)
        parts += [f'<path class="line s{i}" d="M{path}"/>' if places else "", _draw_dots(places, f"s{i}")]
    return _draw_frame(label, x_label, y_label, parts)


def histogram(series: Mapping[str, Sequence[float]], label: str, x_label: str) -> str:
    """A row of bars for each series: how many errors are 0, up to 1/64, 1/32, …, and infinite."""
    left, bars = 12, len(_BINS) + 3
    width = (WIDTH - left - _RIGHT) / bars
    rows = {name: (place, errors) for place, (name, errors) in enumerate(series.items()) if errors}
    deep = max(30, (HEIGHT - _TOP - _BOTTOM) // max(len(rows), 1))
    height = _TOP + deep * len(rows) + _BOTTOM
    marks = {0: "0", 3: "1/16", 7: "1", 11: "16", 15: "256", 19: "4096", bars - 1: "∞"}
    parts = [f'<text class="tick" x="{left + (k + 0.5) * width:.0f}" y="{height - _BOTTOM + 13}">{text}</text>'
             for k, text in marks.items()]
    for row, (name, (place, errors)) in enumerate(rows.items(), start=1):
        base = _TOP + deep * row
        counts = [0] * bars
        for error in errors:
            counts[_bin_of(error)] += 1
        path = "".join(f"M{left + k * width + 0.5:.1f} {base}v-{max(1.0, n / max(counts) * (deep - 14)):.1f}"
                       f"h{width - 1:.1f}V{base}z" for k, n in enumerate(counts) if n)
        parts += [f'<path class="axis" d="M{left} {base}H{WIDTH - _RIGHT}"/>',
                  f'<path class="bar s{place}" d="{path}"/>',
                  f'<text class="name" x="{WIDTH - _RIGHT}" y="{base - deep + 13}">{escape(name)}</text>']
    return _draw_frame(label, x_label, "", parts, height)


def _bin_of(error: float) -> int:
    """The bar of an error: 0 by itself, then each up to the end of its bin, the rest, infinity by itself."""
    if error == 0:
        return 0
    if not error < math.inf:
        return len(_BINS) + 2
    return 1 + next((k for k, end in enumerate(_BINS) if error <= end), len(_BINS))
