"""`python -m marina_cli` is the same as `marina`."""

from marina_cli.main import main

main()
