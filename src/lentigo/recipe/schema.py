"""The recipe: everything that a training does, in one frozen value read from TOML.

Every field is stated in the resolved recipe that a run keeps, so nothing that shaped a
model hides in a default of some library.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lentigo.files import digest_json
from lentigo.image.generator import GeneratorRanges
from lentigo.image.handcrafted import Descriptors
from lentigo.image.torchvision import TorchvisionRanges
from lentigo.outside import Part
from lentigo.recipe.metadata import Metadata
from lentigo.recipe.part import Count, NotNegative, Positive, Share
from lentigo.recipe.stage import Stage

SelectionMetric = Literal[
    "balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant", "loss"
]
Kernel = Literal["linear", "rbf", "poly", "sigmoid"]
NAMED_WEIGHTS = frozenset({"imagenet", "none"})
"""What ``network.weights`` may be besides a path, whatever file or folder may be called so."""

_LIBRARIES = ("image_data_generator", "torchvision")


class Network(Part):
    """The backbone and where its weights come from.

    ``name`` is an entry of ``lentigo networks`` or ``module:function``, a function
    ``(input_shape, alpha) -> keras.Model`` from scaled images to a feature map.
    ``weights`` is ``imagenet`` (Keras's own download), ``none``, a path to weights without
    top, or the folder of a finished run of the same network: training then goes on from its
    backbone, and is refused where that run was trained on what is now held out.
    ``batch_norm_momentum`` replaces Keras's value, which is far too slow for a few hundred
    steps an epoch (MobileNetV2: 0.999); leave it out to keep the network's own.
    """

    name: str = "MobileNetV2"
    alpha: Positive = 1.0
    weights: str = "imagenet"
    size: int = Field(default=224, ge=32, le=1024)
    batch_norm_momentum: float | None = Field(default=None, ge=0, lt=1)


class Head(Part):
    """What stands between the feature map and the logits.

    ``pooled-dense``: global average pooling, then the hidden layers. ``pool2x2-flatten``:
    2x2 pooling, flatten, then the hidden layers (sun2023's parameter counts).
    ``flatten-dense``: the whole map flattened (most of merchan2021's).
    ``single_logit`` gives two-class models one output unit; it is widened to the logits
    ``[0, z]``, whose softmax is the sigmoid of ``z``, so that all else sees two classes.
    """

    kind: Literal["pooled-dense", "pool2x2-flatten", "flatten-dense"] = "pooled-dense"
    hidden: tuple[Count, ...] = ()
    activation: Literal["relu", "relu6", "elu", "gelu", "silu", "hard_silu", "tanh", "linear"] = (
        "relu"
    )
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    single_logit: bool = False


class Loss(Part):
    """Cross-entropy or focal loss (Lin 2017, eq. 5).

    ``class_weights``: ``balanced`` is n / (k n_c), counted on what an epoch draws, so that
    it adds nothing to a sampling that balances the classes itself; a list gives one weight a
    class in the taxonomy's order. ``logit_adjustment`` adds so many times
    the logarithm of each class's share of the epoch to its logit, in the loss only (Menon
    2021, eq. 10): with 1 the network learns what it would say if all classes were equally
    common, whatever the sampling, with 0 it learns the shares along.
    """

    kind: Literal["cross-entropy", "focal"] = "cross-entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    focal_gamma: NotNegative = 2.0
    class_weights: Literal["none", "balanced"] | tuple[Positive, ...] = "none"
    logit_adjustment: Annotated[float, Field(ge=0, le=2)] = 0.0


class Sampling(Part):
    """Which training images make an epoch; validation and test are never resampled.

    ``all``: each once. ``weighted``: as many draws as there are images, with replacement,
    an image of class c with a weight of n_c ** -power (1 balances the classes, 0.5 goes
    half the way). ``oversample``: classes repeated up to the share ``up_to`` of the largest;
    larger ones stay whole. ``undersample``: classes cut to the smallest, other images every
    epoch. ``groups`` is the share of each class's groups (lesions, patients) that is used at
    all, at least one of each, for learning curves: for one seed, a smaller share is part of a
    larger one.
    """

    kind: Literal["all", "weighted", "oversample", "undersample"] = "all"
    power: Share = 1.0
    up_to: Annotated[float, Field(gt=0, le=1)] = 1.0
    groups: Annotated[float, Field(gt=0, le=1)] = 1.0


class Augmentation(Part):
    """Random changes to training images; zeros change nothing.

    Geometry is one affine resampling: rotation in degrees either way, shift and shear as
    share of the side, zoom as the log-uniform range of magnification. Colour follows:
    brightness and channel shift as share of the full range 255, contrast and saturation as
    factor ranges, hue in turns (0.5 is the complementary colour). ``sharpness`` is a factor
    range too: 0 blurs by about a pixel, 1 leaves the image, 2 sharpens. ``white_balance``
    multiplies each channel by a factor of its own, up to e to this power. ``frame`` is the share
    of images that get a dermatoscope's round black frame, of a radius of 0.36 to 0.6 of the side
    and off centre by up to a twentieth of it, with a soft or a hard edge. Last, ``mixup`` lays
    every image over another of its batch, and their labels likewise, in shares drawn from
    Beta(mixup, mixup) (Zhang 2018; 0: none), or ``cutmix`` pastes a square of another over it,
    and their labels follow the areas, with a share drawn from Beta(cutmix, cutmix) (Yun 2019).
    ``image_data_generator`` and ``torchvision`` state geometry and colour in those libraries'
    terms, in place of all of these but ``fill``, ``fill_value``, ``mixup`` and ``cutmix``.
    """

    rotation_deg: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Share = 0.0
    shear: Share = 0.0
    zoom: tuple[Positive, Positive] = (1.0, 1.0)
    flip_horizontal: bool = False
    flip_vertical: bool = False
    fill: Literal["constant", "nearest", "reflect"] = "reflect"
    fill_value: Annotated[float, Field(ge=0, le=255)] = 0.0
    brightness: Share = 0.0
    contrast: tuple[NotNegative, NotNegative] = (1.0, 1.0)
    saturation: tuple[NotNegative, NotNegative] = (1.0, 1.0)
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    channel_shift: Share = 0.0
    sharpness: tuple[NotNegative, NotNegative] = (1.0, 1.0)
    white_balance: Annotated[float, Field(ge=0, le=1)] = 0.0
    frame: Share = 0.0
    mixup: NotNegative = 0.0
    cutmix: NotNegative = 0.0
    image_data_generator: GeneratorRanges | None = None
    torchvision: TorchvisionRanges | None = None

    @model_validator(mode="after")
    def _one_mixture(self) -> Augmentation:
        if self.mixup and self.cutmix:
            raise ValueError("augmentation.mixup and augmentation.cutmix exclude each other")
        return self

    @model_validator(mode="after")
    def _one_language(self) -> Augmentation:
        named = [name for name in _LIBRARIES if getattr(self, name) is not None]
        if not named:
            return self
        shared = {"fill", "fill_value", "mixup", "cutmix", named[0]}
        plain = Augmentation.model_construct()
        beside = [
            name
            for name in type(self).model_fields
            if name not in shared and getattr(self, name) != getattr(plain, name)
        ]
        if beside:
            raise ValueError(f"augmentation.{named[0]} stands in place of {', '.join(beside)}")
        return self

    @model_validator(mode="after")
    def _ranges_rise(self) -> Augmentation:
        for name in ("zoom", "contrast", "saturation", "sharpness"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"augmentation.{name} must rise, not {low} to {high}")
        return self

    @property
    def changes_nothing(self) -> bool:
        """Whether every image passes as it is."""
        return self.model_copy(update={"fill": "reflect", "fill_value": 0.0}) == Augmentation()


class Output(Part):
    """How the finished model answers, and which population its probabilities speak of.

    ``views``: the mean of the logits of so many views, computed inside the model and the
    exported graph at so many times the cost: 1 the image, 2 also mirrored, 4 also both upside
    down, 8 also all of these with rows and columns swapped.
    ``prior_power``: so many times the logarithm of each class's share of the training split
    is added to the logits when training ends. After a loss with ``logit_adjustment = 1``, 0
    leaves all classes equally common (best for balanced accuracy) and 1 makes them as common
    as in the data (best for accuracy and log loss); a value between trades the two.
    """

    views: Literal[1, 2, 4, 8] = 1
    prior_power: Annotated[float, Field(ge=0, le=1)] = 0.0


class Distillation(Part):
    """Learning from the answers of finished runs beside the labels.

    ``teachers`` are folders of runs of networks of the same classes and any size, refused where one
    was trained on what is now held out. In every step they answer the images as the student sees
    them, with no more than a forward pass each, and ``weight`` of the loss is the cross-entropy
    with their mean probabilities, both sides at ``temperature`` (Hinton 2015, Beyer 2022).
    """

    teachers: tuple[str, ...] = Field(min_length=1)
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    temperature: Positive = 2.0


class Soup(Part):
    """The mean of the weights of finished runs, in place of training (Wortsman 2022, section 2).

    ``runs`` are folders of runs of one network, fine-tuned from the same weights: with the same
    head, size, classes, preprocessing and views, and refused where one was trained on what is
    now held out. The stages are not trained; batch-norm statistics are estimated anew on
    ``reestimate_batches`` training batches, as the last of them says.
    """

    runs: tuple[str, ...] = Field(min_length=2)


class Classic(Part):
    """A support vector machine on hand-crafted features, in place of a network.

    Features are scaled to [0, 1] by the least and the greatest value of each in the training
    images. Of all ``kernels`` and values of ``c`` that pair is taken whose answers to held-out
    parts of the training images have the best selection metric: ``folds`` parts, none of which
    shares a group with another, each answered by a machine (scaling included) that was fitted
    without it. ``rbf``, ``poly`` (of degree 3) and ``sigmoid`` have 1 / (features x variance)
    as gamma. Pairwise decisions become logits by a logistic regression on those same held-out
    answers (Platt 1999); temperature and thresholds are then sealed on validation, as for a
    network. Of the rest of the recipe, ``sampling`` and ``network.size`` count.
    """

    kind: Literal["svm"] = "svm"
    kernels: tuple[Kernel, ...] = Field(default=("linear", "rbf", "poly"), min_length=1)
    c: tuple[Positive, ...] = Field(default=(0.1, 1.0, 10.0, 100.0), min_length=1)
    folds: int = Field(default=3, ge=2, le=20)
    features: Descriptors = Field(default_factory=Descriptors)

    @model_validator(mode="after")
    def _something_to_learn_from(self) -> Classic:
        if not self.features.names:
            raise ValueError("classic.features leaves no feature")
        for name in ("kernels", "c"):
            if len(set(getattr(self, name))) != len(getattr(self, name)):
                raise ValueError(f"classic.{name} names a value twice")
        return self


class Recipe(Part):
    """One experiment: citation, command, claims and every hyperparameter."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    title: str
    citation: str = ""
    command: str = ""
    claims: dict[str, float] = Field(default_factory=dict)
    notes: str = ""
    caution: str = ""
    protocol: Literal["leak-free", "as-published"] = "leak-free"
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    selection_metric: SelectionMetric = "balanced_accuracy"
    keep: Literal["best", "last"] = "best"
    network: Network = Field(default_factory=Network)
    head: Head = Field(default_factory=Head)
    loss: Loss = Field(default_factory=Loss)
    sampling: Sampling = Field(default_factory=Sampling)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    output: Output = Field(default_factory=Output)
    metadata: Metadata | None = None
    distillation: Distillation | None = None
    soup: Soup | None = None
    classic: Classic | None = None
    stages: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _a_network_or_a_classic_model(self) -> Recipe:
        if self.classic is None:
            if not self.stages:
                raise ValueError("stages: a network needs one or more")
            return self
        plain = Recipe.model_construct(name=self.name, title=self.title)
        idle = [name for name in _OF_NETWORKS if getattr(self, name) != getattr(plain, name)]
        if self.network != Network(size=self.network.size):
            idle.append("network (but for size)")
        if idle:
            raise ValueError(f"beside [classic] these say nothing: {', '.join(idle)}")
        return self

    @model_validator(mode="after")
    def _stage_names_differ(self) -> Recipe:
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise ValueError(f"stages need different names, not {names}")
        if self.stages and self.stages[0].hard_below:
            raise ValueError(f"stage {names[0]!r}: hard_below needs a stage before it")
        return self

    @model_validator(mode="after")
    def _what_needs_images(self) -> Recipe:
        cached = [stage.name for stage in self.stages if stage.cached_views]
        for name in ("mixup", "cutmix"):
            if cached and getattr(self.augmentation, name):
                raise ValueError(f"augmentation.{name} cannot mix the cached features of {cached}")
        for name in ("distillation", "metadata"):
            if cached and getattr(self, name):
                raise ValueError(f"{name} needs images, which {cached} caches the features of")
        return self

    @model_validator(mode="after")
    def _a_mean_does_not_learn(self) -> Recipe:
        if self.soup and self.distillation:
            raise ValueError("beside [soup] this says nothing: distillation")
        return self

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def digest(self) -> str:
        """SHA-256 of all that shapes the model; prose about it does not count."""
        prose = {"title", "citation", "command", "claims", "notes", "caution"}
        # What is not used does not count, so that a recipe keeps the digest it had before.
        unused = ("classic", "distillation", "soup", "metadata")
        prose |= {name for name in unused if getattr(self, name) is None}
        content = self.model_dump(mode="json", exclude=prose)
        if self.sampling.groups == 1:
            del content["sampling"]["groups"]
        if self.augmentation.torchvision is None:
            del content["augmentation"]["torchvision"]
        if not self.augmentation.cutmix:
            del content["augmentation"]["cutmix"]
        for stage, told in zip(self.stages, content.get("stages", ()), strict=False):
            if stage.stem_rate == 1:
                del told["stem_rate"]
            if not stage.average_from:
                del told["average_from"]
        return digest_json(content)


_OF_NETWORKS = (
    "head",
    "loss",
    "augmentation",
    "output",
    "metadata",
    "distillation",
    "soup",
    "precision",
    "keep",
    "stages",
)
