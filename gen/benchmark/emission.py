"""The emission of large arrays."""

import json
import subprocess
import sys
import time
from typing import Any

from rich.progress import Progress

ARRAYS = (*((side, side) for side in (8, 16, 32, 64, 128, 256)), (97, 193))

EMIT = """
import json, os, resource, sys, time
start = time.perf_counter()
from gen import Configuration, generate
text = generate(Configuration(rows=int(sys.argv[1]), cols=int(sys.argv[2]))).verilog
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if os.path.exists("/proc/self/status"):
    # Not that of the process that started this one, which getrusage counts on Linux.
    peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(json.dumps({
    "bytes": len(text),
    "modules": text.count("endmodule"),
    "peak_mib": peak / 1024,
}))
"""


def time_emission(progress: Progress) -> list[dict[str, Any]]:
    """Seconds, bytes, modules and memory of arrays of SPARQ elements, each in its own process."""
    rows = []
    for height, width in progress.track(ARRAYS, description="emission"):
        start = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-c", EMIT, str(height), str(width)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
        measured = json.loads(result.stdout)
        rows.append({"rows": height, "cols": width, "seconds": seconds, **measured})
    return rows
