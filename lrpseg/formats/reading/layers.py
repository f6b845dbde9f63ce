"""Masks by label that are made when they are asked for."""

from collections.abc import Callable, Iterator, Mapping

from lrpseg.formats.parts import Mask


class Layers(Mapping[str, Mask]):
    """Label to (H, W) bool. A mask is made each time it is asked for: a small file may name more
    labels than memory holds masks of a large picture."""

    def __init__(self, make: Mapping[str, Callable[[], Mask]]) -> None:
        self._make = dict(make)

    def __getitem__(self, label: str) -> Mask:
        return self._make[label]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)


def layers_of(union: Mask, make: Mapping[str, Callable[[], Mask]]) -> Mapping[str, Mask]:
    """The layers of a mask whose labels are those of `make`; one label alone has all of it."""
    return dict.fromkeys(make, union) if len(make) == 1 else Layers(make)
