"""Images: any file to upright RGB, and the one preprocessing of training and serving."""

from lentigo.image.colour import ColourConstancy, shades_of_grey, to_greyscale
from lentigo.image.decode import decode
from lentigo.image.hair import HairRemoval, hair_mask, remove_hair
from lentigo.image.quality import Quality, assess
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.image.subject import Subject, study
from lentigo.image.verdict import QualityThresholds, Verdict, judge, judge_file

__all__ = [
    "ColourConstancy",
    "HairRemoval",
    "PreprocessSpec",
    "Quality",
    "QualityThresholds",
    "Subject",
    "Verdict",
    "assess",
    "decode",
    "hair_mask",
    "judge",
    "judge_file",
    "preprocess",
    "remove_hair",
    "shades_of_grey",
    "study",
    "to_greyscale",
]
