"""int8 with layers left in float32: which, how they are named, and what it saves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from deploy_models import enliven, pictures, recipe
from lentigo.cli.steps import export as export_command
from lentigo.deploy.bundle import Parity
from lentigo.deploy.export import export
from lentigo.deploy.job import Converted, convert_apart
from lentigo.deploy.parity import demand, measure
from lentigo.errors import InputError, ParityError
from lentigo.model import Watcher, build_model
from lentigo.recipe import Network
from lentigo.score.calibration import softmax
from lentigo.score.familiarity import fit_subspace

pytest.importorskip("ai_edge_quantizer", reason="the extra lentigo[quantize] is not installed")
from lentigo.deploy.selective import AUTO, Selective, _logits

CALIBRATION, OTHERS = pictures(40, seed=5), pictures(40, seed=9)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The float32 graph of a MobileNetV2 with random weights."""
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=96, weights="none")), 7)
    enliven(model)
    path = tmp_path_factory.mktemp("selective") / "model.keras"
    model.save(path)
    return convert_apart(path, "float32").graph


def distances(graph: bytes) -> NDArray[np.float32]:
    """What a graph says of how unlike the training images each of ``OTHERS`` is."""
    interpreter = Interpreter(model_content=graph, num_threads=1)
    interpreter.allocate_tensors()
    given = [each for each in interpreter.get_output_details() if len(each["shape"]) == 1]
    answers = []
    for image in OTHERS:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given[0]["index"])[0])
    return np.array(answers)


@pytest.fixture(scope="module")
def selective(graph: bytes) -> Selective:
    return Selective(graph, CALIBRATION)


def test_layers_have_the_names_of_the_network(selective: Selective) -> None:
    assert {"Conv1_relu_1", "block_1_project_BN_1", "logits", "attention"} <= set(selective.layers)
    assert len(set(selective.layers)) == len(selective.layers) > 50


def test_a_kept_layer_makes_the_graph_larger(graph: bytes, selective: Selective) -> None:
    none, one = selective.keeping([]), selective.keeping(["block_16_project"])
    every = selective.keeping([""])
    assert one.kept == ("block_16_project_BN_1",)
    assert len(none.graph) < len(one.graph) < len(every.graph)
    assert np.abs(_logits(none.graph, OTHERS) - _logits(graph, OTHERS)).max() > 1e-3


def test_layers_are_chosen_until_answers_are_kept_or_half_of_them_are(
    graph: bytes, selective: Selective
) -> None:
    wanted = _logits(graph, CALIBRATION).argmax(axis=1)

    def agreement(quantized: bytes) -> float:
        return float((_logits(quantized, CALIBRATION).argmax(axis=1) == wanted).mean())

    chosen = selective.chosen()
    assert agreement(chosen.graph) >= 0.97 or len(chosen.kept) == len(selective.layers) // 2
    assert set(chosen.kept) == set(selective.ranked()[: len(chosen.kept)])


def test_the_distance_from_the_training_images_is_never_computed_in_8_bits(tmp_path: Path) -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=96, weights="none")), 7)
    enliven(model)
    model.save(tmp_path / "model.keras")
    spaces = [fit_subspace(level) for level in Watcher(model).see(CALIBRATION).levels]
    whole = convert_apart(tmp_path / "model.keras", "float32", subspaces=spaces)
    selective = Selective(whole.graph, CALIBRATION)
    assert not {"sub", "mul", "mul_1", "Sum", "unfamiliarity"} & set(selective.layers)
    # With the network in float the distance is the float one to the last digits.
    everything = selective.keeping([""])
    assert distances(everything.graph) == pytest.approx(distances(whole.graph), rel=1e-4)
    # Behind a network in 8 bits it is a float32 number and differs between images.
    least = distances(selective.keeping([]).graph)
    assert least.dtype == np.float32
    assert len(set(least.tolist())) > len(OTHERS) // 2
    # Answers that leave the graph beside the distance can be ranked all the same.
    assert set(selective.ranked()) == set(selective.layers)


def test_an_unknown_layer_is_refused_with_those_that_exist(selective: Selective) -> None:
    with pytest.raises(InputError, match="no-such-layer") as refused:
        selective.keeping(["no-such-layer"])
    assert "block_16_project_BN_1" in str(refused.value)


def test_only_int8_keeps_layers(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Only int8"):
        export(tmp_path, quant="float16", keep_float=(AUTO,))
    with pytest.raises(InputError, match="Only int8"):
        export_command(tmp_path, keep_float="auto")


def test_the_converter_says_which_layers_it_kept(tmp_path: Path) -> None:
    model = build_model(recipe(Network(name="MobileNetV2", alpha=0.35, size=96, weights="none")), 7)
    model.save(tmp_path / "model.keras")
    made = convert_apart(
        tmp_path / "model.keras", "int8", representative=CALIBRATION, keep_float=("Conv1", "logits")
    )
    assert isinstance(made, Converted)
    assert made.kept_float == ("Conv1_relu_1", "logits")


@pytest.mark.soak
def test_mobilenetv3_loses_its_wits_in_int8_which_parity_catches_and_keeping_layers_mends(
    tmp_path: Path,
) -> None:
    model = build_model(recipe(Network(name="MobileNetV3Small", size=96, weights="none")), 7)
    enliven(model)
    model.save(tmp_path / "model.keras")
    whole = convert_apart(tmp_path / "model.keras", "float32").graph
    int8 = convert_apart(tmp_path / "model.keras", "int8", representative=CALIBRATION).graph
    wanted = softmax(_logits(whole, OTHERS), 1.0).astype(np.float64)
    # Held against its own answers, the network is right about every image.
    labels = wanted.argmax(axis=1)

    def parity(graph: bytes) -> Parity:
        found = softmax(_logits(graph, OTHERS), 1.0).astype(np.float64)
        return measure("int8", labels, wanted, found)

    with pytest.raises(ParityError, match="--keep-float auto"):
        demand(parity(int8))
    mended = parity(Selective(whole, CALIBRATION).chosen().graph)
    assert mended.top1_agreement > parity(int8).top1_agreement + 0.1
