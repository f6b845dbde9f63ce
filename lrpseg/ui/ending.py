"""The end of a running page by Ctrl+C or SIGTERM: soon, whatever is under way.

Nothing has to be waited for: what was drawn is stored when it is made, and a picture that was being
analysed waits again at the next start. A kill loses no more.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from lrpseg.workspace.syncing import sync_now

SECONDS = 1.5
"""How long what is under way may take to end by itself."""


def listen() -> threading.Event:
    """From now on Ctrl+C and SIGTERM raise KeyboardInterrupt in the main thread. By itself SIGTERM
    would not even end the first process of a container.

    Returns what is set then: whoever starts a server may pass over the exception.
    """
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> NoReturn:
        asked.set()
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ask)
    return asked


def end(stop: Callable[[], None], seconds: float = SECONDS) -> None:
    """Call `stop`; after so many seconds, or at a further signal, the process ends without it.

    It ends also where `stop` is done, but other threads would hold it: those of requests that run
    networks.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _at_once)
    ending = threading.Thread(target=stop, name="ending", daemon=True)
    ending.start()
    ending.join(seconds)
    here = (threading.main_thread(), threading.current_thread())
    if ending.is_alive() or any(not t.daemon for t in threading.enumerate() if t not in here):
        _leave()


def _at_once(number: int, frame: FrameType | None) -> NoReturn:
    _leave()


def _leave() -> NoReturn:
    """End the process without waiting for its threads: an orderly end aborts where networks run."""
    sync_now()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
