"""The console script `clac`."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command; see [`modeling_clac.cli.main`]."""
    # Before the package is imported: torch and transformers take seconds, so that each command imports what it needs.
    os.environ.setdefault("CLAC_LAZY_IMPORT", "1")
    # Threads of torch that wait for each other sleep. If they keep their core, other programs make them wait longer.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Modules and the vocabulary are many objects that stay; looking for garbage among them takes a tenth of a search.
    gc.set_threshold(50_000, 20, 20)
    from modeling_clac.cli.main import main as run

    run(argv)


if __name__ == "__main__":
    main()
