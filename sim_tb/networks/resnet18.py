"""ResNet-18 at 224 x 224 with random weights: ``python -m sim_tb.networks.resnet18 FOLDER``.

Writes ``resnet18.onnx`` and ``images.npz`` (random images and labels) to see what an evaluation of
that size takes, runs it, and prints the peak of its memory.
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

from networks.samples.random_networks import CLASSES, resnet18

IMAGES = 64


def main() -> int:
    """Write the files, evaluate, and print the peak memory; the exit status."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resnet18.onnx").write_bytes(resnet18())
    (folder / "resnet18.toml").write_text("mean = 127\nscale = 64\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, 224, 224, 3), np.uint8)
    np.savez(
        folder / "images.npz",
        allow_pickle=False,
        images=images,
        labels=rng.integers(0, CLASSES, IMAGES),
    )
    sparq = str(Path(sys.executable).parent / "sparq")
    command = [sparq, "evaluate", str(folder / "resnet18.onnx"), "--output", str(folder)]
    command += ["--data", str(folder / "images.npz")]
    status = subprocess.run(command, check=False).returncode
    # Of the largest process below this one; a worker on each core is the most there is at once.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"the largest process took {peak:.2f} GiB")
    return status


if __name__ == "__main__":
    sys.exit(main())
