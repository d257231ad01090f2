"""Images: any file to upright RGB, and the one preprocessing of training and serving."""

from lentigo.image.colour import ColourConstancy, shades_of_grey, to_greyscale
from lentigo.image.decode import decode
from lentigo.image.hair import HairRemoval, hair_mask, remove_hair
from lentigo.image.quality import Quality, assess
from lentigo.image.spec import PreprocessSpec, preprocess

__all__ = [
    "ColourConstancy",
    "HairRemoval",
    "PreprocessSpec",
    "Quality",
    "assess",
    "decode",
    "hair_mask",
    "preprocess",
    "remove_hair",
    "shades_of_grey",
    "to_greyscale",
]
