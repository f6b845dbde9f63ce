"""The command line: `lrpseg annotate`, `app`, `export`, `import`, `learn`, `benchmark`, `list`."""

from lrpseg.cli.main import main, make_parser

__all__ = ["main", "make_parser"]
