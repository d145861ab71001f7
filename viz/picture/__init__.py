"""What every picture is made of and how it is saved: SVG, HTML pages, dark mode, heat maps, frames.

`picture.py` is the Picture that each function of `viz` returns, and `animation.py` one that moves.

"""

from .animation import Animation
from .gallery import Section, write_page
from .picture import Picture

__all__ = [
    "Animation",
    "Picture",
    "Section",
    "write_page",
]
