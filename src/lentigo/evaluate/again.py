"""The commands that would make an evaluation again, from what it and the run wrote down."""

from __future__ import annotations

from typing import Any

from lentigo.evaluate.facts import Findings

_KNOWN_GROUPS = frozenset({"lesion", "patient", "image"})


def commands(findings: Findings) -> tuple[str, ...]:
    """Prepare, train, evaluate, report, in their order; capital words stand for paths.

    What cannot be known, such as where a download lies, is a capital word; a step that was
    not written down (another set's preparation, a bundle's training) is left out.
    """
    asked, told = findings.asked, findings.asked.description
    found = [] if (made := _prepare(findings)) is None else [made]
    if told.get("kind") == "run" and told.get("recipe"):
        data = "TRAINED_ON" if asked.elsewhere else "PREPARED"
        first = told.get("began_from") or {}
        if first.get("recipe"):
            found.append(_train("FIRST", first, "ITS_SET"))
        weights = " --set network.weights=FIRST" if first else ""
        found.append(_train("RUN", told, data) + weights)
    model = "RUN" if told.get("kind") == "run" else "BUNDLE"
    if quant := told.get("exported"):  # a run's history, a bundle's figures
        found.append(f"lentigo export RUN --quant {quant} --out BUNDLE")
        model = "BUNDLE"
    return (*found, _evaluate(findings, model), f"lentigo report {model}{_named(findings)}")


def earlier_runs(findings: Findings) -> list[tuple[str, dict[str, Any]]]:
    """What went into the model beside its own images: (how, what is known of that run)."""
    told = findings.asked.description
    began = [told["began_from"]] if told.get("began_from") else []
    return [
        *(("backbone began from", each) for each in began),
        *(("weights are the mean of those of", each) for each in told.get("mean_of") or ()),
        *(("learned from the answers of", each) for each in told.get("taught_by") or ()),
    ]


def _prepare(findings: Findings) -> str | None:
    """None for sets that were merged or made by another command."""
    holdings = findings.holdings
    info: Any = {} if holdings is None else holdings.info
    if not info.get("source") or "+" in info["source"] or info.get("oversampling"):
        return None
    spec = findings.asked.spec.model_dump()
    words = [f"lentigo prepare {info['source']} DOWNLOAD --out PREPARED --size {spec['size']}"]
    words += [f"--first-size {spec['first_size']}"] if spec.get("first_size") else []
    words += [
        f"--{name.replace('_', '-')} {info[name]}"
        for name in ("folds", "seed", "test_share")
        if info.get(name) is not None and not (name == "test_share" and not info[name])
    ]
    if info.get("group_by") in _KNOWN_GROUPS:
        words.append(f"--group-by {info['group_by']}")
    words += [
        f"--{name.replace('_', '-')}"
        for name in ("hair_removal", "colour_constancy", "greyscale")
        if spec.get(name)
    ]
    if holdings is not None and holdings.absent.get("missing"):
        words.append("--skip-missing")
    if info.get("splits_of"):
        words.append("--splits-of OTHER")
    if info.get("protocol") not in (None, "leak-free"):
        words.append(f"--protocol {info['protocol']}")
    return " ".join(words)


def _train(run: str, told: dict[str, Any], data: str) -> str:
    fold = "" if told.get("fold") is None else f" --fold {told['fold']}"
    # A packaged recipe is at hand where the run is not; teachers it could not name.
    packaged = told.get("packaged_as") if not told.get("taught_by") else None
    recipe = packaged or f"{run}/recipe.toml"
    return f"lentigo train {recipe} --data {data} --seed {told.get('seed')}{fold}"


def _evaluate(findings: Findings, model: str) -> str:
    asked, options = findings.asked, findings.options
    words = [f"lentigo evaluate {model} --data PREPARED --split {asked.split}"]
    if asked.fold is not None:
        words.append(f"--fold {asked.fold}")
    if labels := _labels(findings):
        words.append(f"--labels {labels}")
    if options.masks:
        words.append(f"--masks {options.masks}")
        words += [f"--mask-crop {options.mask_crop}"] * (options.mask_crop != "none")
    if findings.prevalence is not None:
        words.append(f"--prevalence {findings.prevalence:g}")
    return " ".join([*words, f"--seed {findings.seed} --replicates {findings.replicates}"])


def _labels(findings: Findings) -> str:
    """The file that mapped classes; LABELS where one must have been given that is not known."""
    named, holdings = findings.options.labels, findings.holdings
    if named and named != "given":
        return named
    known = set(findings.asked.taxonomy.codes)
    foreign = holdings is not None and not set(holdings.taxonomy.codes) <= known
    return "LABELS" if named or foreign else ""


def _named(findings: Findings) -> str:
    """The folder that ``evaluate`` chooses for this question, where it is not that of the test."""
    asked = findings.asked
    name = asked.split + (f"-{asked.data_digest[:10]}" if asked.elsewhere else "")
    if asked.fold is not None and asked.fold != asked.description.get("fold"):
        name += f"-fold{asked.fold}"
    if _labels(findings):
        name += "-labels"
    return "" if name == "test" else f" --split {name}"
