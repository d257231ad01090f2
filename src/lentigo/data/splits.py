"""Which images belong together, and which of them are test: by group, class and seed alone.

A group is a connected component of images that share a lesion, a patient or a picture. No
split that lentigo makes cuts one. The order of the rows never matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError, LeakageError, listed
from lentigo.files import digest_list

if TYPE_CHECKING:
    import pandas as pd

GROUPINGS = ("patient", "lesion", "image")
# Kinds of copies in audit.json.
DUPLICATES = ("exact", "near", "cropped", "published")
# Which side an image stays on when its group sits on several: the later one.
_SIDES = ("train", "validation", "test")


def connected_groups(n: int, links: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Connected components by union-find.

    Args:
        n: Number of nodes.
        links: Pairs of node numbers in [0, n).

    Returns:
        (n,) the smallest node of each node's component.
    """
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.array([root(node) for node in range(n)], np.int64)


def check_grouping(patients: Iterable[str], by: str | None) -> str:
    """The grouping meant: ``by``, or the strictest that the table supports.

    Args:
        patients: Of each image, empty where unknown.
        by: One of ``GROUPINGS``, or None: patient where any is named, else lesion.

    Raises:
        InputError: An unknown grouping, or ``patient`` where no patient is named.
    """
    has_patients = any(patients)
    if by is None:
        return "patient" if has_patients else "lesion"
    if by not in GROUPINGS:
        raise InputError(f"{by!r} is no grouping.", todo=f"Choose one of {GROUPINGS}.")
    if by == "patient" and not has_patients:
        raise InputError(
            "The table names no patients, so it cannot be grouped by them.",
            todo="Group by lesion: duplicates are joined all the same.",
        )
    return by


def group_ids(
    frame: pd.DataFrame, pairs: Iterable[tuple[int, int]], by: str | None = None
) -> list[str]:
    """What no split may cut.

    Args:
        frame: ``image_id``, ``lesion_id``, ``patient_id``, empty where unknown.
        pairs: Row numbers of duplicates; always joined, but not by ``image``.
        by: ``patient`` joins patient, lesion and duplicates; ``lesion`` joins lesion and
            duplicates; ``image`` joins nothing, as the papers did; None is the strictest
            that the table supports.

    Returns:
        One name a row: the smallest lesion_id of its component, where there is none the
        smallest patient_id, where there is none the smallest image_id.

    Raises:
        InputError: An unknown grouping, or ``patient`` where no patient is named.
    """
    by = check_grouping(frame["patient_id"].tolist(), by)
    if by == "image":
        return frame["image_id"].tolist()
    links = [*pairs, *rows_by_name(frame["lesion_id"].tolist())]
    if by == "patient":
        links += rows_by_name(frame["patient_id"].tolist())
    components = connected_groups(len(frame), links)
    names = _names(frame, components)
    if len(set(names)) == len(set(components.tolist())):
        return names
    # An image_id may equal another component's lesion_id; both then are one group.
    together = connected_groups(len(frame), [*links, *rows_by_name(names)])
    return _names(frame, together)


def unnamed(frame: pd.DataFrame) -> int:
    """Rows that name neither lesion nor patient: of those only copies of a picture are joined."""
    return int((frame["lesion_id"].eq("") & frame["patient_id"].eq("")).sum())


def groups_behind(manifest: pd.DataFrame, duplicates: Mapping[str, Any]) -> list[str]:
    """What belongs together in a set whose split was dealt image by image.

    Args:
        manifest: Its rows.
        duplicates: What ``audit.json`` says of copies: lists of pairs of image ids by kind.

    Returns:
        As ``group_ids`` by the strictest grouping; a synthetic image belongs to its original.
    """
    row_of = {name: row for row, name in enumerate(manifest["image_id"].tolist())}
    parents = zip(row_of, manifest["parent_id"].tolist(), strict=True)
    pairs = [pair for kind in DUPLICATES for pair in duplicates.get(kind, [])]
    named = [*pairs, *((image, parent) for image, parent in parents if parent)]
    links = [(row_of[a], row_of[b]) for a, b in named if a in row_of and b in row_of]
    return group_ids(manifest, links)


def rows_by_name(ids: Iterable[str]) -> list[tuple[int, int]]:
    """Links between rows of the same name: each with the next; empty names link nothing."""
    rows: dict[str, list[int]] = {}
    for row, each in enumerate(ids):
        if each:
            rows.setdefault(each, []).append(row)
    return [link for members in rows.values() for link in pairwise(members)]


def _names(frame: pd.DataFrame, components: NDArray[np.int64]) -> list[str]:
    smallest: list[dict[int, str]] = []
    for column in ("lesion_id", "patient_id", "image_id"):
        found: dict[int, str] = {}
        for component, each in zip(components.tolist(), frame[column].tolist(), strict=True):
            if each:
                found[component] = min(each, found.get(component, each))
        smallest.append(found)
    by_lesion, by_patient, by_image = smallest
    return [
        by_lesion.get(each) or by_patient.get(each) or by_image[each]
        for each in components.tolist()
    ]


def assign(
    group_ids: Sequence[str],
    labels: Sequence[str],
    official_splits: Sequence[str],
    *,
    seed: int,
    test_share: float = 0.2,
    folds: int = 5,
    exclude_crossing: bool = True,
) -> tuple[list[str], list[int]]:
    """Splits and folds.

    Groups are ranked inside their class (the group's rarest label) by SHA-256 of seed and
    name. Without official splits the first ``test_share`` of each class are test, at least
    one of two groups and never so many that a fold goes without. The rest, or the official
    training part, is dealt round-robin to the folds.

    Args:
        group_ids: (N,) what may not be cut.
        labels: (N,) class codes.
        official_splits: (N,) train, validation, test, or empty; where any is given, the
            empty ones are train and lentigo makes no test split of its own.
        seed: Names the dealing.
        test_share: In [0, 1).
        folds: At least 2.
        exclude_crossing: Take a training (validation) row out whose group also sits in the
            official validation or test (test) split. Official test rows always stay.

    Returns:
        (N,) splits of train, validation, test, excluded; (N,) folds, -1 outside train.

    Raises:
        InputError: An option or an official split out of range.
    """
    import pandas as pd  # noqa: PLC0415 - what is checked before needs none

    check_options(official_splits, test_share=test_share, folds=folds)
    groups = pd.Series(list(group_ids), dtype=str)
    official = pd.Series(list(official_splits), dtype=str)
    ranked = ranked_groups(groups, pd.Series(list(labels), dtype=str), seed)
    if (official == "").all():
        test = [group for each in ranked for group in each[: _n_test(each, test_share, folds)]]
        split = pd.Series(np.where(groups.isin(test), "test", "train"), dtype=str)
    else:
        split = official.where(official != "", "train")
        if exclude_crossing:
            split = split.where(~crossing_rows(groups, split), "excluded")
    training = set(groups[split == "train"])
    dealt = [group for each in ranked for group in each if group in training]
    fold_of = {group: position % folds for position, group in enumerate(dealt)}
    fold = groups.map(fold_of).where(split == "train", -1)
    return split.tolist(), [int(each) for each in fold]


def check_options(official: Sequence[str], *, test_share: float, folds: int) -> None:
    """Refuse what ``assign`` cannot do.

    Raises:
        InputError: All problems at once.
    """
    problems = []
    if not 0 <= test_share < 1:
        problems.append(f"the test share is {test_share}, outside [0, 1)")
    if folds < 2:
        problems.append(f"{folds} fold(s) asked for; at least 2 are needed")
    if unknown := sorted(set(official) - {*_SIDES, ""}):
        problems.append(f"official splits {unknown} are not of {_SIDES}")
    if problems:
        raise InputError("The images cannot be split:\n" + listed(problems))


def ranked_groups(groups: pd.Series, labels: pd.Series, seed: int) -> list[list[str]]:
    """The groups of each class in the order in which they are dealt.

    Args:
        groups: (N,) group names.
        labels: (N,) class codes; a group counts as its rarest.
        seed: Names the order.

    Returns:
        One list a class, classes in alphabetical order, groups in the order of their hash.
    """
    counts = labels.value_counts()
    rarity = {label: (int(counts[label]), label) for label in counts.index}
    label_of: dict[str, str] = {}
    for group, label in zip(groups.tolist(), labels.tolist(), strict=True):
        best = label_of.setdefault(group, label)
        label_of[group] = min(best, label, key=rarity.__getitem__)
    classes: dict[str, list[str]] = {label: [] for label in sorted(set(label_of.values()))}
    for group, label in label_of.items():
        classes[label].append(group)
    return [
        sorted(each, key=lambda group: (_hash(seed, group), group)) for each in classes.values()
    ]


def _hash(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed}:{group}".encode()).digest()


def _n_test(groups: list[str], test_share: float, folds: int) -> int:
    n = len(groups)
    if n < 2 or test_share == 0:
        return 0
    wanted = int(n * test_share + 0.5)
    return max(1, min(wanted, n - folds) if n > folds else min(wanted, n - 1))


def crossing_rows(groups: pd.Series, split: pd.Series) -> pd.Series:
    """Rows whose group also sits on a later side (train, then validation, then test)."""
    rank = split.map({side: position for position, side in enumerate(_SIDES)}).fillna(-1)
    highest = rank.groupby(groups).transform("max")
    return (rank >= 0) & (rank < highest)


def crossings(groups: pd.Series, split: pd.Series) -> list[dict[str, str | int]]:
    """What sits on two sides.

    Args:
        groups: (N,) group names.
        split: (N,) splits; excluded rows count as nowhere.

    Returns:
        One entry for each two sides that share a group: ``between`` ("train/test"),
        ``groups``, and ``images`` (of the earlier side).
    """
    found: list[dict[str, str | int]] = []
    for position, early in enumerate(_SIDES):
        for late in _SIDES[position + 1 :]:
            on_early = groups[split == early]
            shared = on_early.isin(set(groups[split == late]))
            if shared.any():
                n_groups, n_images = int(on_early[shared].nunique()), int(shared.sum())
                found.append({"between": f"{early}/{late}", "groups": n_groups, "images": n_images})
    return found


def check_no_group_crosses(frame: pd.DataFrame) -> None:
    """Every group sits in one split, and every training group in one fold.

    Args:
        frame: ``group_id``, ``split``, ``fold``; excluded rows count as nowhere.

    Raises:
        LeakageError: With the groups and where they sit.
    """
    used = frame[frame["split"] != "excluded"]
    sides = used["split"].where(used["split"] != "train", "fold " + used["fold"].astype(str))
    several = sides.groupby(used["group_id"]).nunique()
    if not (several > 1).any():
        return
    problems = [
        f"{group}: {', '.join(sorted(set(sides[used['group_id'] == group])))}"
        for group in several.index[several > 1]
    ]
    raise LeakageError(
        f"{len(problems)} group(s) sit on two sides of a split:\n{listed(problems)}",
        todo="Prepare the images again without --group-by image.",
    )


def split_digest(frame: pd.DataFrame, split: str) -> str:
    """The identity of a split: the digest of its image ids, in any order."""
    return digest_list(frame.loc[frame["split"] == split, "image_id"].tolist())
