"""The reference that everything is compared with: a model in single precision."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from networks.importer import ModelError

DTYPES = {"tensor(double)": np.float64, "tensor(float16)": np.float16}
"""What a model may take other than float32."""


@lru_cache(maxsize=2)
def _session(model: bytes, name: str) -> Any:
    options = onnxruntime.SessionOptions()
    # Evaluation runs a process on each core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{name}: onnxruntime refuses it: {_first_line(error)}") from None


def logits(model: bytes, name: str, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The output of the ONNX file ``model`` for ``images``, as (N, classes).

    Computed by onnxruntime in one thread; a model with a fixed batch gets its images in such
    batches. ``name`` is the file's, for errors. Raises ``ModelError`` if onnxruntime fails.
    """
    session = _session(model, name)
    source = session.get_inputs()[0]
    images = images.astype(DTYPES.get(source.type, np.float32), copy=False)
    batch = source.shape[0] if isinstance(source.shape[0], int) else len(images)
    results = []
    for top in range(0, len(images), batch):
        part = images[top : top + batch]
        missing = batch - len(part)
        if missing:
            part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)])
        try:
            (value,) = session.run(None, {source.name: part})
        except Exception as error:
            raise ModelError(f"{name}: onnxruntime failed: {_first_line(error)}") from None
        results.append(value.reshape(batch, -1)[: batch - missing])
    return np.concatenate(results)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
