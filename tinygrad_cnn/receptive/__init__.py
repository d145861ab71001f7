"""Receptive fields: which part of the image one element of a network depends on.

`walk.py` holds the arithmetic, layer by layer; `field.py` what can be asked, and the measuring.
"""

from .field import Layer, ReceptiveField, receptive_field
from .walk import Axis, Step

__all__ = ["Axis", "Layer", "ReceptiveField", "Step", "receptive_field"]
