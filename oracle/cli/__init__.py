"""The command line: one file a command.

In come arguments, out go text and an exit status. The commands come together in :mod:`.app`. Errors become a line and a
status in one place (:mod:`.errors`). Several commands share files and folders (:mod:`.files`), the terminal
(:mod:`.screen`) and some options (:mod:`.options`).
"""
