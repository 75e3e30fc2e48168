"""``python -m repstream_cli.std_cli NAME …``: what the scripts do that `std_tools` makes."""

import sys

from repstream_cli.std_cli.tools import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1], sys.argv[2:]))
