"""What stands around a formula without being part of it: size, memory, threads, and what happens between steps.

What comes in is a case as its op's spec draws it: a dozen contiguous elements. What goes out is the same case as a
kernel meets it: laid out over many elements (:mod:`.sizes`), lying in memory in other ways (:mod:`.memory`), or
interrupted between steps (:mod:`.events`). None of it is an axis of an op; :mod:`.shipped` says beside which of an
op's cases it stands. A new surrounding is a new record in one of these files, and every op that can take it does.
"""

from __future__ import annotations
