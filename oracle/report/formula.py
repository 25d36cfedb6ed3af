r"""What an op's docstring says, taken apart for a page: summary, formula, arguments, source.

Formulas stand in docstrings as literal blocks of plain text or as TeX. :func:`tex` turns the part of TeX that
docstrings use into HTML: characters of Unicode, and spans that a style sheet stacks for fractions, roots, cases
and indices.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from ..cases.spec import Spec

__all__ = ["Description", "describe", "inline", "tex"]

_SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "varepsilon": "ε", "epsilon": "ε", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Phi": "Φ", "Psi": "Ψ", "infty": "∞", "cdot": "·", "times": "×", "pm": "±",
    "sim": "∼", "propto": "∝", "le": "≤", "ge": "≥", "ne": "≠", "leftarrow": "←", "to": "→", "in": "∈", "sum": "∑",
    "prod": "∏", "int": "∫", "top": "⊤", "lVert": "‖", "rVert": "‖", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "dots": "…", "odot": "⊙", ",": "\u2009", ";": "\u2005", "quad": "\u2003", " ": " ", "{": "{",
    "}": "}", "|": "‖", "left": "", "right": "", "!": ""}
_UPRIGHT = {"infty", "prod", "sum", "int"}
_RELATIONS = set("=<>≤≥≠∼∝←→∈")
_ACCENTS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
_SCRIPT = {"N": "𝒩", "U": "𝒰", "L": "ℒ"}
_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


class _Tex:
    """A reader of tokens that writes HTML."""

    def __init__(self, source: str) -> None:
        self.tokens = _TOKEN.findall(source)
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def skip(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def until(self, *ends: str) -> str:
        """All up to one of these tokens, which is left."""
        parts = []
        while self.at < len(self.tokens) and self.peek() not in ends:
            parts.append(self.scripted())
        return "".join(parts)

    def scripted(self) -> str:
        """An atom with what is below and above it."""
        base = self.atom()
        scripts: dict[str, str] = {}
        behind = self.at
        self.skip()
        while self.peek() in ("_", "^"):
            kind = {"_": "sub", "^": "sup"}[self.take()]
            scripts[kind] = self.argument()
        if not scripts:
            self.at = behind
            return base
        if len(scripts) == 2:
            return f'{base}<span class="both"><sup>{scripts["sup"]}</sup><sub>{scripts["sub"]}</sub></span>'
        return base + "".join(f"<{kind}>{inner}</{kind}>" for kind, inner in scripts.items())

    def argument(self) -> str:
        """A group, or the next atom."""
        self.skip()
        if self.peek() != "{":
            return self.atom()
        self.take()
        inner = self.until("}")
        self.take()
        return inner

    def raw(self) -> str:
        """The text of a group as it stands."""
        self.skip()
        self.take()
        text = ""
        while (token := self.take()) not in ("}", ""):
            text += token
        return text

    def atom(self) -> str:
        token = self.take()
        if token.isspace():
            return ""
        if token == "{":
            self.at -= 1
            return self.argument()
        if token.startswith("\\"):
            return self.command(token[1:])
        if token.isalpha():
            return f"<i>{token}</i>"
        if token in _RELATIONS:
            return f'<span class="rel">{escape(token)}</span>'
        if token in "+-":
            return f'<span class="bin">{"−" if token == "-" else "+"}</span>'
        return escape(token) + (" " if token == "," else "")

    def command(self, name: str) -> str:
        if name in ("frac", "tfrac"):
            return f'<span class="frac"><span>{self.argument()}</span><span>{self.argument()}</span></span>'
        if name == "sqrt":
            return f'<span class="root"><span class="sign">√</span><span>{self.argument()}</span></span>'
        if name in _ACCENTS:
            return self.argument().replace("</i>", f"{_ACCENTS[name]}</i>")
        if name == "mathcal":
            return "".join(_SCRIPT.get(letter, escape(letter)) for letter in self.raw())
        if name in ("text", "mathrm", "operatorname"):
            text = escape(self.raw())
            return f'<span class="fn">{text}</span>' if name == "operatorname" else f"<span>{text}</span>"
        if name == "begin":
            return self.cases()
        if name in _SYMBOLS:
            symbol = _SYMBOLS[name]
            if symbol in _RELATIONS:
                return f'<span class="rel">{escape(symbol)}</span>'
            if symbol == "·":
                return '<span class="bin">·</span>'
            return f"<i>{symbol}</i>" if symbol.isalpha() and name not in _UPRIGHT else escape(symbol)
        return f'<span class="fn">{escape(name)}</span>'

    def cases(self) -> str:
        """The environment ``cases``: rows of a value and a condition."""
        self.raw()
        rows, cells = [], [""]
        while self.at < len(self.tokens):
            cells[-1] = self.until("&", "\\\\", "\\end")
            end = self.take()
            if end == "&":
                cells.append("")
                continue
            rows.append("".join(f"<span>{cell}</span>" for cell in cells))
            cells = [""]
            if end == "\\end":
                self.raw()
                break
        return f'<span class="cases">{"".join(f"<span>{row}</span>" for row in rows)}</span>'


def tex(source: str) -> str:
    r"""HTML of a formula; each equation of several is a piece that can go to a line of its own.

    >>> tex(r"\frac{g}{2}")
    '<span class="eq"><span class="frac"><span><i>g</i></span><span>2</span></span></span>'
    """
    reader, pieces = _Tex(source.strip()), []
    while reader.at < len(reader.tokens):
        pieces.append(reader.until("\\qquad", "\\\\"))
        reader.take()
    return "".join(f'<span class="eq">{piece}</span>' for piece in pieces if piece)


def inline(text: str) -> str:
    """HTML of a sentence of a docstring: TeX and code in it are set, and the rest is escaped.

    >>> inline("at least ``0``, see :class:`Adam` & :math:`x_i`")
    'at least <code>0</code>, see <code>Adam</code> &amp; <i>x</i><sub><i>i</i></sub>'
    """
    parts = re.split(r"(:math:`[^`]*`|:\w+:`[^`]*`|``[^`]*``)", text)
    return "".join(map(_set_part, parts))


def _set_part(text: str) -> str:
    if text.startswith(":math:"):
        return _Tex(text[7:-1]).until("")
    if text.startswith((":", "``")) and text.endswith("`"):
        return f"<code>{escape(text.strip('`').rpartition('`')[2])}</code>"
    return escape(text)


@dataclass(frozen=True)
class Description:
    """The parts of a docstring, as HTML; empty where it lacks one."""

    summary: str
    formula: str
    arguments: tuple[tuple[str, str], ...]  #: names with their defaults (plain text), and what is said of them
    source: str


def describe(spec: Spec) -> Description:
    """What an op's docstring says of it."""
    text = inspect.getdoc(spec.implementation) or ""
    paragraphs = text.split("\n\n")
    in_tex = re.findall(r"^\.\. math::(.*?)(?=\n\S|\Z)", text, flags=re.S | re.M)
    in_plain_text = re.findall(r"::\n\n((?:[ ]{4}.*\n|\n)+)", text)
    blocks = [*map(tex, in_tex), *map(_set_plain, in_plain_text)]
    formula = "".join(f'<div class="formula">{block}</div>' for block in blocks)
    source = next((p for p in paragraphs if p.startswith("Source:")), "").removeprefix("Source:")
    return Description(inline(paragraphs[0].replace("\n", " ")), formula, tuple(_describe_arguments(spec, text)),
                       inline(" ".join(source.split())))


def _set_plain(source: str) -> str:
    text = inspect.cleandoc(source).replace("``", "")
    return f"<pre>{escape(text)}</pre>"


def _describe_arguments(spec: Spec, text: str) -> Iterator[tuple[str, str]]:
    """Each argument of the signature, with its entry under ``Args:``."""
    found = re.search(r"^Args:\n(.*?)(?=\n\n|\Z)", text, flags=re.S | re.M)
    entries = re.findall(r"^ {4}(\w[\w, *]*): (.*(?:\n {5,}.*)*)", found[1] if found else "", flags=re.M)
    about = {name.strip(): " ".join(entry.split()) for names, entry in entries for name in names.split(",")}
    for name, parameter in inspect.signature(spec.implementation).parameters.items():
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        yield name + default, inline(about.get(name, ""))
