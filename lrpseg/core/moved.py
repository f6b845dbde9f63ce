"""Former names of modules, which stay importable and runnable.

python -m training.train ...      # is training/loops/train.py now
from lrpseg.results import Result
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any


class _Loader(InspectLoader):
    """Gives the module of the new name, which is imported once, whatever it is called."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._target)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # importing set it to that of the former name

    def is_package(self, fullname: str) -> bool:
        return False

    def get_source(self, fullname: str) -> str | None:
        return self._real().get_source(self._target)

    def get_code(self, fullname: str) -> CodeType | None:
        """What `python -m` runs."""
        return self._real().get_code(self._target)

    def _real(self) -> Any:
        spec = importlib.util.find_spec(self._target)
        assert spec is not None
        assert spec.loader is not None
        return spec.loader


class _Finder(MetaPathFinder):
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        return ModuleSpec(fullname, _Loader(self._names[fullname]))


def moved(names: Mapping[str, str]) -> None:
    """Let modules be found by their former names, the keys of `names`."""
    sys.meta_path.append(_Finder(names))
