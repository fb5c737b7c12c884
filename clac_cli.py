"""The console script `clac`. It asks the package for late imports first, so that `clac --help` answers at once."""

import os

os.environ.setdefault("CLAC_LAZY_IMPORT", "1")

from modeling_clac.cli.main import main

if __name__ == "__main__":
    main()
