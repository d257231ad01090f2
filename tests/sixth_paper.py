"""A paper that lentigo has never seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from lentigo.data.phantom import generate

SIXTH = """
schema_version = 1
name = "sixth2031"
title = "A sixth paper"
citation = "Nobody 2031"
contradictions = ["Its two tables disagree."]
choices = ["The rate is ours."]
gaps = ["Its third table is not repeated."]
figures = [
  "roc", "roc-by-class", "classes", "grid", "examples", "diagnoses", "augmented", "hair", "network",
  "epochs", "seconds", "curves", "confusion",
]

[data]
sources = ["phantom"]
malignant = ["malignant"]
size = 32
hair_removal = true
[data.labels.phantom]
bicolour = "malignant"
star = "malignant"
disc = "benign"
globules = "benign"
pale = "benign"

[protocols.as-published]
group_by = "image"
test_share = 0.0
folds = 4
measured = "validation"
[protocols.leak-free]
test_share = 0.25
folds = 4

[recipe.network]
name = "tiny_network:build"
weights = "none"
[recipe.augmentation]
flip_horizontal = true
[[recipe.stages]]
name = "train"
epochs = 4
batch_size = 16

[[variants]]
name = "small-batch"
title = "Tiny, batch 8"
set = { "recipe.stages.0.batch_size" = 8 }
[[variants]]
name = "impossible"
set = { "recipe.network.name" = "no_such_module:build" }
[[variants]]
name = "grey"
set = { "data.greyscale" = true }
[[variants]]
name = "each-fold"
[variants.set]
"protocols.as-published.every_fold" = true
"protocols.as-published.folds" = 2
"protocols.leak-free.folds" = 2
"protocols.leak-free.every_fold" = true
"protocols.leak-free.measured" = "validation"

[by_epoch.small-batch]
seconds = ["10", "11", "12.5"]
loss = ["1.5", "1.2", "1.1"]
accuracy = ["50%", "60.5%", "61%"]
val_loss = ["1.6", "1.4", "1.3"]
val_accuracy = ["49%", "50%", "50%"]

[[tables]]
title = "Table 7"
columns = [
  { title = "Accuracy", key = "accuracy" },
  { title = "AUC", key = "roc_auc.malignant" },
  { title = "Parameters", key = "parameters", digits = 0 },
  { title = "Kappa" },
]
[tables.rows]
small-batch = ["98%", "1.0", "1,000", "0.9"]
impossible = ["99%", "", "", ""]
grey = ["97.5%", "0.99", "", ""]
each-fold = ["96%", "", "", ""]
[[tables]]
title = "Table 8"
columns = [
  { title = "Malignant, training", key = "images.train.malignant", digits = 0 },
  { title = "Malignant, measured", key = "images.measured.malignant", digits = 0 },
  { title = "Inference (s)", key = "inference_s", digits = 2 },
]
[tables.rows]
grey = ["100", "20", "3.5"]
[[tables]]
title = "Table 9"
of = "grey"
columns = [
  { title = "Recall", key = "sensitivity.{}.argmax", digits = 2 },
  { title = "Support", key = "images.measured.{}", digits = 0 },
]
[tables.rows]
benign = ["0.97", "30"]
malignant = ["0.91", "20"]
average = { claimed = ["0.94", ""], keys = ["sensitivity", ""] }
[[tables]]
title = "Table 10"
columns = [{ title = "small", of = "small-batch" }, { title = "folds", of = "each-fold" }]
[tables.rows]
F1 = { claimed = ["0.95", "0.94"], key = "f1" }
seconds = { claimed = ["33.5", ""], key = "seconds", digits = 1 }
[[tables]]
title = "Table 11"
of = ["small-batch", "grey"]
columns = [{ title = "benign", digits = 0 }, { title = "malignant", digits = 0 }]
[tables.rows]
"before copies" = { claimed = ["80", "20"], key = "images.original.{}" }
"with copies" = { claimed = ["80", "80"], key = "images.all.{}" }
"""


@pytest.fixture(scope="session")
def sixth_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its TOML."""
    path = tmp_path_factory.mktemp("papers") / "sixth2031.toml"
    path.write_text(SIXTH, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def sixth_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its images, of 70 lesions."""
    folder = tmp_path_factory.mktemp("sixth") / "images"
    generate(folder, lesions=70, seed=0, size=64)
    return folder
