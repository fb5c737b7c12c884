"""User agent of our HTTP clients."""

import modeling_clac

USER_AGENT = f"clac-crystals/{modeling_clac.__version__} (https://pypi.org/project/clac-crystals)"

__all__ = ["USER_AGENT"]
