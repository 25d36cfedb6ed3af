"""The command line: one file a command.

In come arguments, out go text and an exit status. Errors become a line and a status in one place (:mod:`.app`).
"""
