"""Hugging Face Spaces: a GPU that is lent for each call (ZeroGPU), where there is one."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from lrpseg.pipeline.loading import load
from lrpseg.pipeline.results import Result

T = TypeVar("T", bound=Callable)


def zero_gpu() -> bool:
    """Whether this Space lends a GPU for each call."""
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def gpu(fn: T) -> T:
    """`spaces.GPU(fn)` where the package `spaces` is and GPUs are lent, else `fn` as it is."""
    if not zero_gpu():
        return fn
    try:
        import spaces
    except ImportError:
        return fn
    return spaces.GPU(fn)


@gpu
def explain(choices: dict[str, Any], image: object, explain_intact: bool) -> Result:
    """One picture's result on the lent GPU: its process sees nothing of ours but the arguments.

    `choices`: of `lrpseg.load`.
    """
    segmenter = load(**choices)
    return segmenter(image, explain_intact=explain_intact)  # type: ignore[arg-type]
