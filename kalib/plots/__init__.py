"""Charts seaborn's way: results in, axes out, nothing computed.

Each draws on `ax`, or on a fresh figure where none is given, and returns the axes. `set_theme`
sets the house style and the language, currency and labels of a study. Each name is loaded on its
first use, as `kalib`'s own are.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
