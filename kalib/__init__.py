"""kalib: key accounts by purchasing potential, not by past sales.

Every name here is loaded on its first use, so that `import kalib` costs nothing; the names and
where they are written stand in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
