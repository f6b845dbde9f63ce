"""`python -m lrpseg.benchmark`: the same as `lrpseg benchmark`, without the folder case."""

from lrpseg.benchmark.speed import main

main()
