"""The processes that this one has started, and those that they have."""

import os
import threading
import time
from contextlib import suppress

import psutil

TRACKER = "resource_tracker"
"""In the command line of a process that removes what others leave behind, and ends with them."""
WATCH_SECONDS = 1


def end_descendants() -> None:
    """End every process that descends from this one, but trackers, which end by themselves.

    All of them are stopped before the first is ended, so that none can start another meanwhile.
    """
    stopped: set[psutil.Process] = set()
    while new := set(psutil.Process().children(recursive=True)) - stopped:
        stopped |= new
        for process in new:
            with suppress(psutil.Error):
                if not _is_tracker(process):
                    process.suspend()
    for process in stopped:
        with suppress(psutil.Error):
            if not _is_tracker(process):
                process.kill()


def _is_tracker(process: psutil.Process) -> bool:
    return any(TRACKER in word for word in process.cmdline())


def end_with_parent() -> None:
    """From here on, this process and its descendants end when its parent has, however it did."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_SECONDS)
        end_descendants()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
