"""Few-shot image data: the official files read without trust, decoded once, and split by class."""

from .datasets import DATASETS, find, load, splits_of
from .image_set import ImageSet
from .sources import DataError

__all__ = ["DATASETS", "DataError", "ImageSet", "find", "load", "splits_of"]
