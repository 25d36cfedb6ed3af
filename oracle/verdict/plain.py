"""Text that others have a say in, such as messages of errors, made safe to show: one place for all of it."""

from __future__ import annotations

__all__ = ["LONGEST", "plain"]

LONGEST = 1000  #: characters that are shown


def plain(text: str, longest: int = LONGEST) -> str:
    r"""The text on one line: what does not print is escaped, and what is too long is cut, and says so.

    Control characters would steer a terminal, and marks of direction turn the text around them.

    >>> plain("a\x1b[31mb \u202ec\nd\ud800"), plain("x" * 30_000, 22)
    ('a\\x1b[31mb \\u202ec\\nd\\ud800', 'xx… (30000 characters)')
    >>> plain(plain("\n" * 5000)) == plain("\n" * 5000)
    True
    """
    if text.isprintable() and len(text) <= longest:
        return text
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:longest + 1])
    if len(shown) <= longest:
        return shown
    tail = f"… ({len(text)} characters)"
    return shown[:max(0, longest - len(tail))] + tail
