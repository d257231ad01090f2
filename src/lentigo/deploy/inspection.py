"""A bundle in words: everything that it carries, for a reader."""

from __future__ import annotations

from contextlib import suppress

from lentigo.deploy.bundle import Bundle, Figure
from lentigo.errors import MissingExtraError, visible
from lentigo.image.verdict import CHECKS, DEFAULT_THRESHOLDS
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE


def check_graph(bundle: Bundle) -> None:
    """Hold the graph against what the description says of it, as running it would.

    Where LiteRT is missing, it is not looked at.

    Raises:
        BundleError: LiteRT refuses the graph, or it takes or gives something else.
    """
    with suppress(MissingExtraError):
        from lentigo.deploy.engine import Engine  # noqa: PLC0415 - not everywhere

        Engine(bundle, threads=1)


def describe_bundle(bundle: Bundle) -> str:
    """What ``lentigo inspect`` prints; the digest was checked when the bundle was read.

    Each fact stands on one line, whatever the bundle's texts hold.
    """
    info = bundle.info
    spec = info.spec
    way = f" by way of {spec.first_size}" if spec.first_size else ""
    steps = [f"{spec.size} pixels{way}", spec.crop]
    steps += [
        name
        for name, on in (
            ("hair removal", spec.hair_removal),
            ("colour constancy", spec.colour_constancy),
            ("greyscale", spec.greyscale),
        )
        if on
    ]
    lines = [
        f"{info.name}  ({bundle.source})",
        *_fields(
            {
                "network": info.network,
                "graph": f"{info.quantization}, {len(bundle.graph):,} bytes",
                "graph digest": f"{info.graph_sha256} (checked)",
                "input": ", ".join(steps),
                "second output": info.attention,
                "made with": ", ".join(f"{k} {v}" for k, v in info.created_with.items()),
                "temperature": f"{info.temperature:.4f}",
                "recipe digest": info.recipe_digest,
                "data digest": info.data_digest,
                "test digest": info.test_digest,
                "fold": "official validation" if info.fold is None else str(info.fold),
                "licence": info.license,
                "intended use": info.intended_use,
                "limits": info.limits,
            }
        ),
        "classes",
        *_classes(bundle),
    ]
    if info.operating_points:
        lines.append("operating points (malignant probability)")
        lines += [
            f"  {point.name}: at least {point.threshold:.4f}" for point in info.operating_points
        ]
    lines += _familiarity(bundle)
    lines += _quality(bundle)
    if info.parity is not None:
        p = info.parity
        told = (
            f"{p.images} validation images: same class {p.top1_agreement:.1%}, largest "
            f"difference of a probability {p.max_difference:.2g}, balanced accuracy "
            f"{p.balanced_accuracy_keras:.3f} before and {p.balanced_accuracy_bundle:.3f} after"
        )
        lines += ["conversion", f"  {told}"]
    if info.metrics:
        lines += ["measured", *(f"  {key}: {_figure(each)}" for key, each in info.metrics.items())]
    if info.leaky:
        lines.append("LEAKY: trained under a protocol that lets lesions cross splits.")
    if bundle.model_card:
        lines.append("A model card is inside: lentigo inspect FILE --card")
    return "\n".join([*map(visible, lines), NOT_A_MEDICAL_DEVICE])


def _fields(fields: dict[str, str]) -> list[str]:
    width = max(map(len, fields))
    return [f"  {name:{width}}  {value}" for name, value in fields.items()]


def _classes(bundle: Bundle) -> list[str]:
    classes, mixture = bundle.info.taxonomy.classes, bundle.info.mixture
    lines = []
    for place, each in enumerate(classes):
        kind = "malignant" if each.malignant else "other"
        share = "" if mixture is None else f", taken for {mixture[place]:.1%} of all"
        lines.append(f"  {each.code}: {each.name} ({kind}{share})")
    return lines


def _familiarity(bundle: Bundle) -> list[str]:
    if (known := bundle.info.familiarity) is None:
        return ["unfamiliar images: the graph does not tell them"]
    kept = f"which keeps {known.kept:.1%} of {known.images} validation images"
    return [f"unfamiliar ({known.method})", f"  above {known.threshold:.4g}, {kept}"]


def _quality(bundle: Bundle) -> list[str]:
    """What a photo must keep, and whose limits those are."""
    own = bundle.info.quality
    limits = own or DEFAULT_THRESHOLDS
    return [
        "photo quality" if own else "photo quality (lentigo's own limits: the bundle has none)",
        *(
            f"  {check.name}: {'at least' if check.limit.startswith('min_') else 'at most'} "
            f"{getattr(limits, check.limit):g} {check.unit}"
            for check in CHECKS
        ),
    ]


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return f"undefined ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}, {figure.n_groups} groups, {figure.reason}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}], {figure.n_groups} groups"
