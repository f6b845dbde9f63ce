"""The version, in one place: the package, the build and every file that is written read it here."""

__version__ = "0.1.0"
