"""The audit as one self-contained page, with the pairs as pictures."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import cv2
import jinja2
import numpy as np

from lentigo.evaluate.audit.crossings import known_as
from lentigo.evaluate.audit.found import Audit, Stack
from lentigo.evaluate.audit.pairs import Pair
from lentigo.evaluate.svg import Plot
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE

SHOWN_PAIRS, SHOWN_POOR = 40, 8  # of each kind
_SIDE_PX, _JPEG_QUALITY = 120, 80


def render(found: Audit, images: Stack) -> str:
    """The page as HTML text, without a reference to any other file."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = files("lentigo.evaluate.audit").joinpath("page.html.j2").read_text(encoding="utf-8")
    # What contradicts itself first, then what crosses sets, then the least alike.
    wrong = dict.fromkeys(found.contradictions, "labels contradict each other")
    wrong = dict.fromkeys(_of_two_lesions(found), "filed as different lesions") | wrong
    sets = found.table["set"].to_numpy()
    order = sorted(
        found.pairs,
        key=lambda p: (p not in wrong, sets[p.a] == sets[p.b], -p.bits, p.a, p.b),
    )
    poor = found.poor.failed
    return environment.from_string(source).render(
        sets=found.sets,
        content=found.to_dict(),
        histogram=_histogram(found),
        distances=_distances(found),
        pairs=[_pair(p, found, images, wrong.get(p, "")) for p in order[:SHOWN_PAIRS]],
        n_pairs=len(found.pairs),
        poor={
            kind: [_poor(row, poor[row], found, images) for row in _spread(rows)]
            for kind, rows in found.poor.kinds.items()
            if rows
        },
        n_poor=len(poor),
        poor_counts=Counter(check for failed in poor.values() for check in failed).most_common(),
        disclaimer=NOT_A_MEDICAL_DEVICE,
    )


def _of_two_lesions(found: Audit) -> list[Pair]:
    lesions = known_as(found.table, "lesion_id").tolist()
    return [
        p for p in found.pairs if lesions[p.a] and lesions[p.b] and lesions[p.a] != lesions[p.b]
    ]


def _spread(rows: Sequence[int]) -> list[int]:
    """A few of them, evenly over all sets, since these stand one after the other."""
    places = np.linspace(0, len(rows) - 1, min(SHOWN_POOR, len(rows))).round().astype(int)
    return [rows[place] for place in places]


def _histogram(found: Audit) -> Any:
    """How far apart unrelated pairs lie, on a logarithmic scale, with the threshold."""
    counts = found.unrelated.histogram
    seen = np.flatnonzero(counts)
    top = float(np.log10(max(int(counts.max()), 1))) + 0.5
    plot = Plot(
        x=(0, 256),
        y=(0, top),
        title="Distances of unrelated pairs",
        description=f"{found.unrelated.pairs} pairs of different groups; the closest lies at "
        f"{int(seen[0]) if len(seen) else 0} bits, the threshold at {found.unrelated.threshold}.",
        width=560,
    )
    powers = [(float(p), f"{10**p:,}" if p else "at most 1") for p in range(int(top) + 1)]
    bits = [(float(bit), str(bit)) for bit in range(0, 257, 32)]
    plot.axes("bits of 256 that differ", "pairs", bits, powers)
    height = np.log10(np.maximum(counts, 1))
    plot.line(np.arange(257.0), height, "")
    threshold = float(found.unrelated.threshold)
    plot.line([threshold, threshold], [0.0, top], "warn")
    return plot.render()


def _distances(found: Audit) -> list[tuple[str, int]]:
    """The numbers behind the histogram, eight bits a row, from the closest pair to the farthest."""
    counts = found.unrelated.histogram
    rows = [
        (f"{start} to {min(start + 7, 256)}", int(counts[start : start + 8].sum()))
        for start in range(0, len(counts), 8)
    ]
    filled = [place for place, (_, pairs) in enumerate(rows) if pairs]
    return rows[filled[0] : filled[-1] + 1] if filled else []


def _pair(pair: Pair, found: Audit, images: Stack, wrong: str) -> dict[str, Any]:
    return {
        "a": _about(pair.a, found, images),
        "b": _about(pair.b, found, images),
        "kind": pair.kind,
        "bits": pair.bits,
        "wrong": wrong,
    }


def _about(row: int, found: Audit, images: Stack) -> dict[str, str]:
    line = found.table.iloc[row]
    about = {name: str(line[name]) for name in ("set", "image_id", "label", "split")}
    return about | {"source": _data_uri(images[row])}


def _poor(row: int, failed: Sequence[str], found: Audit, images: Stack) -> dict[str, Any]:
    return _about(row, found, images) | {"failed": list(failed)}


def _data_uri(rgb: np.ndarray) -> str:
    small = cv2.resize(rgb, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(
        ".jpg",
        cv2.cvtColor(small, cv2.COLOR_RGB2BGR),
        [int(cv2.IMWRITE_JPEG_QUALITY), _JPEG_QUALITY],
    )
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
