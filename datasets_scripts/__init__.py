"""Scripts that build data sets, and their helpers."""

import os

# torch and transformers take seconds to import, and most scripts, and each process that a script starts, need neither.
# The variable is for this import only: programs that are started from here decide for themselves.
_given = os.environ.get("CLAC_LAZY_IMPORT")
os.environ["CLAC_LAZY_IMPORT"] = "1"
import modeling_clac  # noqa: E402, F401

if _given is None:
    del os.environ["CLAC_LAZY_IMPORT"]
