"""Writes the folder that a Hugging Face Space needs, and nothing else: `make space` does, too.

python -m space.build
python -m space.build --index ""      # for a Space with a GPU: PyTorch as PyPI has it
"""

import argparse
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "dist" / "space"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Here PyTorch is without CUDA: a tenth of the size."""
SHARED = ("app.py", "LICENSE", "lrpseg", "assets")


def build(folder: Path, index: str = CPU_INDEX) -> None:
    """Write page, core, assets, front matter and lock file to `folder`, which must not be there.

    index: where pip looks for wheels besides PyPI; "" for nowhere.
    """
    folder.mkdir(parents=True)
    for name in SHARED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / name)
    own = Path(__file__).parent
    shutil.copy(own / "README.md", folder / "README.md")
    lock = (own / "requirements.txt").read_text("utf-8")
    first = f"--extra-index-url {index}\n" if index else ""
    (folder / "requirements.txt").write_text(first + lock, "utf-8")


def add_index(parser: argparse.ArgumentParser) -> None:
    """The option that `space.trial` has, too."""
    parser.add_argument(
        "--index", default=CPU_INDEX, help='where wheels are besides PyPI; "": nowhere'
    )


def rebuild(index: str) -> None:
    """`build` the folder anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    build(FOLDER, index)
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{FOLDER.relative_to(ROOT)}: {len(files)} files, {size / 1e6:.0f} MB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m space.build", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_index(parser)
    rebuild(parser.parse_args().index)
