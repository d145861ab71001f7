"""What every picture is made of and how it is saved: SVG, HTML pages, dark mode, heat maps, frames.

Each function of `viz` returns a `Picture`, or an `Animation`, which is a Picture with frames.
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
