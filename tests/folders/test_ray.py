"""The same run on a Ray cluster: a lost worker changes nothing."""

import os
import signal
import sys
from pathlib import Path

import pytest

from lrpseg.cli.main import main
from lrpseg.folders import annotate, ray_engine
from tests.folders.support import job, tree


def _mine(process: Path) -> bool:
    """Whether a process descends from this one: other people's Ray is left alone."""
    number = process.name
    while number not in ("0", "1"):
        if number == str(os.getpid()):
            return True
        # After the name in brackets: state, then the parent.
        number = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[1]
    return False


def _workers() -> list[int]:
    """Process numbers of our Ray's workers that hold a segmenter."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"MapWorker" in path.read_bytes() and _mine(path.parent):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def _domain(only_toy: None) -> None:
    """Ray's workers know the shipped networks alone."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds workers in /proc")
def test_ray_with_a_killed_worker_writes_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="pip install -e '.[ray]'")
    annotate([str(folder)], tmp_path / "one", job(), device="cpu", block=2)
    killed: list[int] = []

    def progress(_: int) -> None:
        if not killed and _workers():
            killed.append(_workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        engine = ray_engine.on_ray(2, "cpu")
        annotate([str(folder)], tmp_path / "many", job(), engine=engine, progress=progress, block=2)
    finally:
        ray.shutdown()
    assert killed
    assert tree(tmp_path / "many") == tree(tmp_path / "one")


@pytest.mark.parametrize(
    ("workers", "machines", "device", "share"),
    [
        (2, [{"CPU": 8}], "auto", (4, 0)),
        (2, [{"CPU": 2}] * 4, "auto", (2, 0)),  # 4 would fit on no machine
        (9, [{"CPU": 2}, {"CPU": 2}], "cpu", (1, 0)),
        (4, [{"CPU": 8, "GPU": 1}] * 3, "auto", (1, 0.5)),  # two share a GPU
        (2, [{"CPU": 8, "GPU": 4}], "cuda", (1, 1)),
        (2, [{"CPU": 8, "GPU": 4}, {}], "cpu", (4, 0)),
    ],
)
def test_what_a_worker_gets_fits_on_a_machine(
    workers: int, machines: list[dict[str, float]], device: str, share: tuple[int, float]
) -> None:
    assert ray_engine._share(workers, machines, device) == share


def test_without_ray_the_extra_is_named(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["annotate", str(folder), "--domain", "toy", "--out", str(tmp_path / "out")]
    assert main([*words, "--engine", "ray"]) == 2
    assert "pip install -e '.[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
