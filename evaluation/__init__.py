import os

# Before torch is imported: threads that wait for each other sleep. If they keep their core, other programs make them
# wait for longer, see `evaluation.benchmarks.busy_threads`.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Whole, with its classes known to transformers, before `datasets_scripts` imports it without torch.
import modeling_clac  # noqa: F401
