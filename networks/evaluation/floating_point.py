"""The reference that everything is compared with: a model in single precision."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from networks.importer import ModelError

DTYPES: dict[str, Any] = {
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
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


def logits(model: bytes, name: str, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The output of the ONNX file ``model`` for ``images``, as (N, classes).

    Integers (N, inputs, length) are its inputs, in their order.

    Computed by onnxruntime in one thread; a model with a fixed batch gets its images in such
    batches. ``name`` is the file's, for errors. Raises ``ModelError`` if onnxruntime fails.
    """
    session = _session(model, name)
    sources = session.get_inputs()
    source = sources[0]
    if images.dtype.kind == "f":
        images = images.astype(DTYPES.get(source.type, np.float32), copy=False)
    batch = source.shape[0] if isinstance(source.shape[0], int) else len(images)
    results = []
    for top in range(0, len(images), batch):
        part = images[top : top + batch]
        missing = batch - len(part)
        if missing:
            part = np.concatenate([part, np.zeros((missing, *part.shape[1:]), part.dtype)])
        try:
            (value,) = session.run(None, _inputs(sources, part))
        except Exception as error:
            raise ModelError(f"{name}: onnxruntime failed: {_first_line(error)}") from None
        results.append(value.reshape(batch, -1)[: batch - missing])
    return np.concatenate(results)


def _inputs(sources: Sequence[Any], images: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """``images`` as the inputs ``sources`` of a session."""
    if images.dtype.kind == "f":
        return {sources[0].name: images}
    return {
        source.name: images[:, index].astype(DTYPES[source.type])
        for index, source in enumerate(sources)
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
