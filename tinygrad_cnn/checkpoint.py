"""Models and trainings in files, as `tg.checkpoint`: see `train/checkpoint.py`."""

from .train.checkpoint import about, load, need_folder, restore, save

__all__ = ["about", "load", "need_folder", "restore", "save"]
