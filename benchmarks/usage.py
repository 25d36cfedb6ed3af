"""Run a command, then say what it and all processes that it left behind took: ``python -m benchmarks.usage COMMAND``.

The last line of standard error is JSON: seconds that passed until the command ended, seconds of processors, and the
largest process in MB. Linux hands orphans to whoever asks for them; on other systems they are not counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

__all__ = ["main"]

_PR_SET_CHILD_SUBREAPER = 36


def main(command: Sequence[str] | None = None) -> int:
    """Run it; its exit status."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.perf_counter()
    status = subprocess.run(sys.argv[1:] if command is None else command, check=False).returncode
    seconds = time.perf_counter() - began
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps({"seconds": seconds, "processor": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss / 1024}),
          file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
