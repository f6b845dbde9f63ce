"""Starts the page: `python app.py`, with options as `lrpseg app`, or as a Hugging Face Space."""

import sys

from lrpseg.ui import launch

if __name__ == "__main__":
    if sys.argv[1:]:
        from lrpseg.cli.main import main

        sys.exit(main(["app", *sys.argv[1:]]))
    launch()
