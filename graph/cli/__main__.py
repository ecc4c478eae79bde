"""`python -m nodespan.graph.cli`: the `nodespan` command."""

from . import main

main()
