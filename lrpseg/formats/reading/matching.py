"""Finds the pictures that masks from other tools belong to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from lrpseg.formats.errors import FormatError
from lrpseg.formats.names import END, ended, folded
from lrpseg.formats.reading.base import OnError, ReadMask, Size
from lrpseg.formats.reading.kinds import NO_PICTURE, OTHER_SIZE, TWO_MASKS
from lrpseg.formats.reading.layers import Layers
from lrpseg.formats.reading.roles import without_roles


def matched(
    masks: Iterable[ReadMask],
    pictures: Mapping[str, tuple[int, int]],
    on_error: OnError | None = None,
) -> Iterator[ReadMask]:
    """The masks under the names of the pictures that they belong to, one for each picture.

    A mask belongs to the picture of its name; else to the one of the same path without suffix; else
    to the one of the same path without folders such as `images` and `masks`; else to the only one
    whose file name without suffix is the same, in whatever folder; else to the only one whose path
    is the same with "__" for each "/", as flat layouts have it, also with the end that our own
    export gives names. Masks of one picture that follow each other are joined where each brings
    other labels.

    Args:
        pictures: name to (height, width).
        on_error: without it, the first mask that fits no picture ends the iteration.

    Raises:
        FormatError: no picture or several have that name, the size differs, or a second mask comes
            for a picture, or for one of its labels.
    """
    find = finder(pictures)
    seen: set[str] = set()
    waiting: ReadMask | None = None  # for more labels of its picture
    for mask in masks:
        try:
            name = find(mask.name)
            check_size(name, mask.mask.shape, pictures[name])
            if waiting is not None and waiting.name == name:
                waiting = _joined(waiting, mask)
                continue
            if name in seen:
                raise FormatError(f"There are two masks of {name}. Keep one of them.", TWO_MASKS)
        except FormatError as error:
            if on_error is None:
                if waiting is not None:
                    yield waiting
                raise
            on_error(mask.name, error)
            continue
        if waiting is not None:
            yield waiting
        seen.add(name)
        waiting = replace(mask, name=name)
    if waiting is not None:
        yield waiting


def check_size(name: str, size: tuple[int, ...], wanted: Size) -> None:
    """Raise `FormatError` where a mask's (height, width) is not that of the picture `name`."""
    if tuple(size) != tuple(wanted):
        raise FormatError(
            f"The mask of {name} has {size[1]}x{size[0]} pixels and "
            f"the picture {wanted[1]}x{wanted[0]}. Export it at the picture's size, upright.",
            OTHER_SIZE,
        )


def _joined(first: ReadMask, second: ReadMask) -> ReadMask:
    """Two masks of one picture as one."""
    name = first.name
    if not first.layers or not second.layers:
        raise FormatError(f"There are two masks of {name}. Keep one of them.", TWO_MASKS)
    both = sorted(first.layers.keys() & second.layers.keys())
    if both:
        raise FormatError(
            f"There are two masks of {name} with the label {both[0]!r}. Keep one of them.",
            TWO_MASKS,
        )
    layers = Layers(
        {k: partial(m.layers.__getitem__, k) for m in (first, second) for k in m.layers}
    )
    unknown = [m.ignored for m in (first, second) if m.ignored is not None]
    ignored = unknown[0] & unknown[1] if len(unknown) == 2 else None
    notes = first.notes + second.notes
    return ReadMask(name, first.mask | second.mask, notes, layers, ignored)


def finder(pictures: Iterable[str]) -> Callable[[str], str]:
    """From the name of a mask to that of its picture, as `matched` finds it; raises `FormatError`
    where there is none, or several."""
    names = set(pictures)
    by_path, by_file = _index(names, _path_key), _index(names, _file_key)
    by_part = _index(names, lambda name: _path_key(without_roles(name)))
    by_flat = {
        **_index(names, lambda name: _path_key(name).replace("/", "__")),
        **_index(names, lambda name: folded(name).replace("/", "__")),
    }
    by_end = _index(names, lambda name: ended(_path_key(name).replace("/", "__")))

    def find(given: str) -> str:
        if given in names:
            return given
        name = given.replace("\\", "/")
        if name in names:
            return name
        file, part = PurePosixPath(name).name, without_roles(name)
        if file.endswith(END):  # of our own export, or a part of the name
            found = [*by_end.get(folded(file), []), *by_flat.get(folded(file), [])]
            if len(found) == 1:
                return found[0]
            if found:
                raise _several(given, found)
        # A name that came without suffix may hold a dot of its own: try it as it is, too.
        for index, keys in (
            (by_path, (folded(name), _path_key(name))),
            (by_part, (folded(part), _path_key(part))),
            (by_file, (folded(file), _file_key(name))),
            (by_flat, (folded(file), _file_key(name))),
        ):
            for key in keys:
                found = index.get(key, [])
                if len(found) == 1:
                    return found[0]
                if found:
                    raise _several(given, found)
        raise FormatError(
            f"There is a mask of {given}, but no such picture. Give the folder of its pictures "
            "too, or say how masks are named (--match).",
            NO_PICTURE,
        )

    return find


def _several(given: str, found: Iterable[str]) -> FormatError:
    return FormatError(
        f"The mask of {given} fits {' and '.join(sorted(found)[:3])}. Name it in full."
    )


def _index(pictures: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = {}
    for name in sorted(pictures):
        index.setdefault(key(name), []).append(name)
    return index


def _path_key(name: str) -> str:
    return folded(str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name)


def _file_key(name: str) -> str:
    return folded(PurePosixPath(name).stem)
