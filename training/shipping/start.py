"""Makes the file that networks share: what they start from, in 8 bits.

    python -m training.shipping.start --network one-fc --init imagenet \\
        --about "torchvision's VGG-11, IMAGENET1K_V1" --out assets/shared/vgg-a.safetensors

Takes the convolutions of --init (torchvision's ImageNet weights, or a safetensors file). Recipes
that name the file as `below`, and freeze stages, store these no more than once. Networks that were
trained above the former file need that one: it is not overwritten.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lrpseg.models.networks import NETWORKS, classifiers
from lrpseg.models.precision import EIGHT_BITS
from lrpseg.models.tensors import checkpoint_hash, save_tensors
from training.command import told
from training.data.datasets import DataError
from training.loops.classifier import initialise


def store_start(network: str, init: str, about: str, path: Path) -> None:
    """Write the features of `network`, started from `init` (see `initialise`), in 8 bits.

    Raises:
        DataError: there is a file at `path`.
        CheckpointError: the file of weights lacks the features.
    """
    if path.exists():
        raise DataError(f"{path} is there: networks may stand on it. Give another name.")
    model = initialise(network, init, seed=0)
    features = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if model.stage_of(name.rpartition(".")[0]) is not None
    }
    held = {"network": network, "source": about}
    if Path(init).is_file():
        held["source_sha256"] = checkpoint_hash(Path(init))
    save_tensors(features, held, path, EIGHT_BITS)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m training.shipping.start", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--network", choices=classifiers(NETWORKS), default="one-fc")
    add("--init", default="imagenet", help="imagenet (default), or a safetensors file")
    add("--about", required=True, help="where the weights come from, for whoever opens the file")
    add("--out", type=Path, required=True)
    args = parser.parse_args(words)
    store_start(args.network, args.init, args.about, args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    with told():
        main()
