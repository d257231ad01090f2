"""What another camera might do to an image, and what that does to two models.

Compared, side by side on the same validation images: a model and others, undisturbed and under
disturbances of sharpness, light, colour, framing and compression, each mild and strong. Printed
is the ROC area for malignant lesions, the balanced accuracy, and how far each falls from the
undisturbed images, with an interval of the paired difference (lesions resampled).

Expected: a model that was trained with wider colours, blur and sharpening (lentigo-small until
MixUp came) falls less under those than one that was not, and no less under what neither was
trained with.

No test image is looked at. Every model brings the prepared set that it was trained on; the
sets must share their folds, and images that not all of them hold are left out.

Run::

    python benchmarks/robustness.py MODEL DATA [MODEL DATA ...] [--fold 0]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

REPLICATES = 1000
Disturbance = Callable[[Any], Any]


def clipped(image: Any) -> Any:
    """Float to uint8."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def blurred(share: float) -> Disturbance:
    """Gaussian blur; sigma is a share of the side."""
    return lambda image: cv2.GaussianBlur(image, (0, 0), share * len(image))


def sharpened(amount: float) -> Disturbance:
    """Unsharp masking."""

    def apply(image: Any) -> Any:
        soft = cv2.GaussianBlur(image, (0, 0), 0.008 * len(image)).astype(float)
        return clipped(image + amount * (image - soft))

    return apply


def gained(*gains: float) -> Disturbance:
    """Each channel by a factor: exposure where they are equal, a colour cast where not."""
    return lambda image: clipped(image * np.asarray(gains))


def gamma(power: float) -> Disturbance:
    """Another tone curve."""
    return lambda image: clipped(255 * (image / 255.0) ** power)


def compressed(quality: int) -> Disturbance:
    """JPEG, once more."""

    def apply(image: Any) -> Any:
        _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))[..., ::-1]

    return apply


def zoomed(factor: float) -> Disturbance:
    """Closer above 1; farther below 1, the border reflected."""

    def apply(image: Any) -> Any:
        side = len(image)
        matrix = cv2.getRotationMatrix2D((side / 2 - 0.5, side / 2 - 0.5), 0, factor)
        return cv2.warpAffine(image, matrix, (side, side), borderMode=cv2.BORDER_REFLECT)

    return apply


def vignetted(radius: float) -> Disturbance:
    """The round black frame of a dermatoscope; its radius is a share of the side."""

    def apply(image: Any) -> Any:
        y, x = np.mgrid[: len(image), : len(image)] / len(image) - 0.5
        return clipped(image * np.clip((radius - np.hypot(y, x)) / 0.03, 0, 1)[..., None])

    return apply


DISTURBANCES: dict[str, Disturbance] = {
    "blurred, 0.5% of the side": blurred(0.005),
    "blurred, 1.0%": blurred(0.01),
    "sharpened by 1": sharpened(1.0),
    "sharpened by 2": sharpened(2.0),
    "darker by a quarter": gained(0.75, 0.75, 0.75),
    "brighter by a fifth": gained(1.2, 1.2, 1.2),
    "redder by 10%": gained(1.1, 1.0, 0.9),
    "bluer by 10%": gained(0.9, 1.0, 1.1),
    "greener by 10%": gained(0.95, 1.1, 0.95),
    "tone curve, power 1.4": gamma(1.4),
    "tone curve, power 0.7": gamma(0.7),
    "JPEG of quality 30": compressed(30),
    "closer by 1.3": zoomed(1.3),
    "farther by 0.75": zoomed(0.75),
    "round black frame": vignetted(0.48),
}


def scores(taxonomy: Any, labels: Any, probability: Any) -> dict[str, Callable[[Any], Any]]:
    """Each takes weights (n,) or (n, b)."""
    from lentigo.score.classification import balanced_accuracy, binary_roc_auc

    bad = np.asarray(taxonomy.malignant)
    total = probability[:, bad].sum(axis=1)
    return {
        "ROC area, malignant": lambda weights: binary_roc_auc(bad[labels], total, weights),
        "balanced accuracy": lambda weights: balanced_accuracy(labels, probability, weights),
    }


def difference(a: Callable[[Any], Any], b: Callable[[Any], Any], weights: Any) -> Any:
    """Of two figures, under the same weights."""
    return a(weights) - b(weights)


def measure(model: Path, data: Path, ids: list[str], groups: dict[str, str]) -> dict[str, Any]:
    """Print one model's table; its changes by disturbance, figure and part of an estimate."""
    from lentigo.data.prepared import open_prepared
    from lentigo.deploy.evaluating import open_predictor
    from lentigo.score.bootstrap import bootstrap_estimate

    predictor, prepared = open_predictor(model), open_prepared(data)
    place = {name: row for row, name in enumerate(prepared.manifest["image_id"])}
    rows = [place[each] for each in ids]
    images, labels = np.ascontiguousarray(prepared.images[rows]), prepared.labels[rows]
    group_ids = np.asarray([groups[each] for each in ids])

    def answers(disturb: Disturbance | None) -> dict[str, Callable[[Any], Any]]:
        seen = images if disturb is None else np.stack([disturb(each) for each in images])
        return scores(predictor.taxonomy, labels, predictor.predict(seen))

    def line(name: str, values: list[Any]) -> None:
        told = (f"{v.value:+.3f} [{v.low:+.3f}, {v.high:+.3f}]" for v in values)
        print(f"  {name:28}" + "   ".join(told))

    print(f"{predictor.name}: {len(ids)} validation images, {predictor.spec.size} pixels")
    calm = answers(None)
    print(f"  {'':28}" + "   ".join(f"{name:24}" for name in calm))
    line(
        "undisturbed",
        [bootstrap_estimate(each, group_ids, replicates=REPLICATES) for each in calm.values()],
    )
    found = {}
    for name, disturb in DISTURBANCES.items():
        shaken = answers(disturb)
        fell = [
            bootstrap_estimate(
                partial(difference, shaken[key], calm[key]),
                group_ids,
                replicates=REPLICATES,
            )
            for key in calm
        ]
        line(name, fell)
        found[name] = {key: each.to_dict() for key, each in zip(calm, fell, strict=True)}
    return found


def main() -> None:
    """Measure every model on the validation images that all sets share."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pairs", type=Path, nargs="+", metavar="MODEL DATA")
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the changes as JSON, by model")
    arguments = parser.parse_args()
    if len(arguments.pairs) % 2:
        parser.error("each MODEL needs its DATA")
    from lentigo.data.prepared import open_prepared

    pairs = list(zip(arguments.pairs[::2], arguments.pairs[1::2], strict=True))
    shared: dict[str, str] | None = None
    for _, data in pairs:
        prepared = open_prepared(data)
        rows = prepared.manifest.iloc[prepared.rows("validation", arguments.fold)]
        here = dict(zip(rows["image_id"], rows["group_id"], strict=True))
        shared = here if shared is None else {k: v for k, v in shared.items() if k in here}
    assert shared
    found = {str(model): measure(model, data, sorted(shared), shared) for model, data in pairs}
    if arguments.out:
        arguments.out.write_text(json.dumps(found, indent=2), "utf-8")


if __name__ == "__main__":
    main()
