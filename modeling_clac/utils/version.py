"""Package version, in a module without imports."""

__version__ = "0.1.0"

__all__ = ["__version__"]
