"""`python -m repstream_cli` is `repstream`."""

from repstream_cli.main import main

main()
