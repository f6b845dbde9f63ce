"""Starts the page: `python app.py`, or as a Hugging Face Space."""

from lrpseg.ui import launch

if __name__ == "__main__":
    launch()
