"""Reference implementations, loaded without the training stacks that their packages ask for."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
import types
import warnings
from pathlib import Path

import pytest


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the reference implementation `{package}` is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


@functools.cache
def clip_tokenizer():
    """OpenAI's own tokenizer."""
    path = _folder("clip") / "simple_tokenizer.py"
    spec = importlib.util.spec_from_file_location("clip_simple_tokenizer", path)
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
        return module.SimpleTokenizer()


@functools.cache
def k_diffusion_sampling():
    """k-diffusion's samplers; the package itself would load pictures' and experiments' trackers."""
    package = types.ModuleType("k_diffusion")
    package.__path__ = [str(_folder("k_diffusion"))]
    utils = types.ModuleType("k_diffusion.utils")
    utils.append_dims = lambda x, dims: x[(...,) + (None,) * (dims - x.ndim)]
    package.utils = utils
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.modules.setdefault("k_diffusion", package)
        sys.modules.setdefault("k_diffusion.utils", utils)
        return importlib.import_module("k_diffusion.sampling")
