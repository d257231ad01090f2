"""The browser and Python give the same answer about the same photo.

Chromium runs the modules of the built wheel; Python runs the checkout's. The model is the one
that ships.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from browsing import (
    BYTES,
    MODEL,
    PACKED,
    hosted,
    in_base64,
    in_browser,
    start_chromium,
    unpacked,
)
from golden_images import GOLDEN, encoded, golden, photograph
from lentigo.deploy.prediction import UNFAMILIAR
from lentigo.deploy.runtime import BundlePredictor
from lentigo.image.colour import ColourConstancy
from lentigo.image.hair import HairRemoval
from lentigo.image.quality import assess
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.image.verdict import DEFAULT_THRESHOLDS, judge
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.web.offline import decline

LEVELS, SHARE, DIFFERENCE = 2, 0.999, 0.02

LOAD = """async () => {
  const { Predictor } = await import("/predict.js");
  const bytes = new Uint8Array(await (await fetch("/model.tflite")).arrayBuffer());
  globalThis.predictor = await Predictor.load(bytes, "/litert/");
}"""
PREDICT = f"""async ([b64, name]) => {{
  {BYTES}
  {PACKED}
  const {{ prediction, input, attention }} = await predictor.predict(bytes, name);
  const maps = [attention.shape, [...attention.data]];
  return {{ prediction, input: packed(input), attention: maps }};
}}"""


@pytest.fixture(scope="module")
def predictor_page(page: Any) -> Any:
    page.evaluate(LOAD)
    return page


@pytest.fixture(scope="module")
def python() -> BundlePredictor:
    return BundlePredictor(MODEL)


def assert_same_pixels(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> None:
    difference = np.abs(ours.astype(int) - theirs).max(axis=-1)
    assert (difference <= LEVELS).mean() >= SHARE, (
        f"{(difference > LEVELS).mean():.2%} of the pixels differ by more than {LEVELS} levels, "
        f"at most {difference.max()}"
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_input_probabilities_and_words_agree_on(
    name: str, predictor_page: Any, python: BundlePredictor
) -> None:
    content = golden(name)
    answer = predictor_page.evaluate(PREDICT, [in_base64(content), name])
    theirs = unpacked(answer["input"], python.spec.size)
    assert_same_pixels(preprocess(content, python.spec), theirs)
    ours, browsers = python.predict_bytes(content, name=name).to_dict(), answer["prediction"]
    for code, value in ours.pop("probability").items():
        assert browsers["probability"][code] == pytest.approx(value, abs=DIFFERENCE)
    assert list(browsers.pop("probability")) == list(python.taxonomy.codes)
    malignant = ours.pop("malignant_probability")
    assert browsers.pop("malignant_probability") == pytest.approx(malignant, abs=DIFFERENCE)
    for reading in ours["operating_points"]:
        # On the threshold itself, the last digits decide.
        if abs(malignant - reading["threshold"]) < DIFFERENCE:
            del reading["above"]
            next(p for p in browsers["operating_points"] if p["name"] == reading["name"]).pop(
                "above"
            )
    near = ours["familiarity"] and ours["familiarity"]["threshold"]
    if near is not None:
        for each in (ours["familiarity"], browsers["familiarity"]):
            each["score"] = pytest.approx(each["score"], rel=0.05)
    # All else is the same to the letter: class, operating points, warnings, notice.
    assert browsers == ours


def test_attention_maps_agree(predictor_page: Any, python: BundlePredictor) -> None:
    content = golden("png large")
    shape, values = predictor_page.evaluate(PREDICT, [in_base64(content), "x"])["attention"]
    ours = python.predict_bytes(content, attention=True).attention
    assert ours is not None
    assert tuple(shape) == ours.shape
    assert np.allclose(np.array(values).reshape(shape), ours, atol=0.1 * np.abs(ours).max())


@pytest.mark.parametrize(
    "spec",
    [
        PreprocessSpec(size=96, crop="none"),
        PreprocessSpec(size=224, reduce=False),
        PreprocessSpec(size=448, greyscale=True),
        PreprocessSpec(size=160, background=(10, 20, 200)),
        PreprocessSpec(size=160, colour_constancy=ColourConstancy()),
        PreprocessSpec(size=160, colour_constancy=ColourConstancy(power=1), greyscale=True),
        PreprocessSpec(size=224, first_size=300, crop="none", greyscale=True),
        PreprocessSpec(size=160, first_size=96, colour_constancy=ColourConstancy()),
    ],
    ids=[
        "squeezed",
        "not reduced",
        "grey",
        "on blue",
        "balanced",
        "balanced and grey",
        "by way of more",
        "by way of less",
    ],
)
@pytest.mark.parametrize("name", ["jpeg turned 7", "jpeg large, colour 4:2:0", "png see-through"])
def test_every_spec_that_is_not_declined_gives_the_same_pixels(
    spec: PreprocessSpec, name: str, page: Any
) -> None:
    assert_same_pixels(preprocess(golden(name), spec), in_browser(page, golden(name), spec))


def test_a_spec_that_browsers_cannot_do_is_declined_in_the_same_words(page: Any) -> None:
    specs = [PreprocessSpec(), PreprocessSpec(hair_removal=HairRemoval())]
    ask = 'async (spec) => (await import("/preprocess.js")).decline(spec)'
    answers = [page.evaluate(ask, spec.model_dump(mode="json")) for spec in specs]
    assert answers == [decline(spec) for spec in specs]
    assert answers[0] is None
    assert "hair" in answers[1]


def test_a_spec_of_a_later_lentigo_is_declined(page: Any) -> None:
    known = PreprocessSpec().model_dump(mode="json")
    ask = 'async (spec) => (await import("/preprocess.js")).decline(spec)'
    assert page.evaluate(ask, known) is None
    for change in ({"version": 2}, {"sharpen": True}, {"crop": "corner"}):
        assert page.evaluate(ask, known | change)


def test_a_colour_profile_changes_nothing(page: Any) -> None:
    from PIL import ImageCms

    wide = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    plain = encoded(photograph(300, 300), "PNG")
    tagged = encoded(photograph(300, 300), "PNG", icc_profile=wide)
    assert tagged != plain
    spec = PreprocessSpec(size=160)
    assert np.array_equal(in_browser(page, plain, spec), in_browser(page, tagged, spec))


def test_limits_and_notice_are_those_of_python(page: Any) -> None:
    ask = """async () => {
      const { LIMITS } = await import("/quality.js");
      const { NOTICE, UNFAMILIAR } = await import("/predict.js");
      return [LIMITS, NOTICE, UNFAMILIAR];
    }"""
    limits, notice, unfamiliar = page.evaluate(ask)
    assert (notice, unfamiliar) == (NOT_A_MEDICAL_DEVICE, UNFAMILIAR)
    assert limits == {
        "square": DEFAULT_THRESHOLDS.min_square_px,
        "sharpness": DEFAULT_THRESHOLDS.min_sharpness,
        "overexposed": DEFAULT_THRESHOLDS.max_overexposed_share,
        "brightness": DEFAULT_THRESHOLDS.min_brightness,
        "blackFrame": DEFAULT_THRESHOLDS.max_black_frame_share,
        "busyness": DEFAULT_THRESHOLDS.max_busyness,
        "redness": DEFAULT_THRESHOLDS.min_redness,
    }


def test_limits_of_a_bundle_come_before_the_defaults(page: Any) -> None:
    ask = """async (info) => {
      const { limitsOf, warnings } = await import("/quality.js");
      const photo = { square: 224, sharpness: 50, overexposed: 0, brightness: 99, blackFrame: 0,
        busyness: 40, redness: 9 };
      return warnings(photo, limitsOf(info)).map(({ key }) => key);
    }"""
    strict = DEFAULT_THRESHOLDS.model_copy(update={"min_sharpness": 60.0, "min_brightness": 99.5})
    limits = strict.model_dump(mode="json")
    assert page.evaluate(ask, {}) == page.evaluate(ask, {"quality": None}) == []
    assert page.evaluate(ask, {"quality": limits}) == ["blur", "dark"]


def framed(share: float) -> NDArray[np.uint8]:
    image = np.full((400, 400, 3), 15, np.uint8)
    side = round(400 * (1 - share) ** 0.5)
    image[:side, :side] = np.asarray(photograph(side, side, seed=20))
    return image


@pytest.mark.parametrize(
    "rgb",
    [
        np.asarray(photograph(500, 400, seed=21)),
        np.full((300, 300, 3), (200, 150, 130), np.uint8),
        np.full((300, 200, 3), 255, np.uint8),
        np.asarray(photograph(300, 300, seed=22)) // 4,
        np.zeros((200, 260, 3), np.uint8),
        np.asarray(photograph(100, 75, seed=21)),
        np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8),
        framed(0.5),
    ],
    ids=["good", "blurred", "burnt", "dark", "black", "small", "not skin", "framed"],
)
def test_quality_warnings_agree(rgb: NDArray[np.uint8], page: Any) -> None:
    ask = f"""async ([width, height, b64]) => {{
      const {{ assess, warnings }} = await import("/quality.js");
      {BYTES}
      const quality = assess({{ width, height, data: new Uint8ClampedArray(bytes) }});
      return [Object.values(quality), warnings(quality).map(({{ sentence }}) => sentence)];
    }}"""
    height, width = rgb.shape[:2]
    figures, sentences = page.evaluate(ask, [width, height, in_base64(rgb.tobytes())])
    ours = assess(rgb)
    assert sentences == list(judge(ours).warnings)
    expected = [
        ours.square_px,
        ours.sharpness,
        ours.overexposed_share,
        ours.brightness,
        ours.black_frame_share,
        ours.busyness,
        ours.redness,
    ]
    assert figures == pytest.approx(expected, rel=0.03, abs=0.3)


BUNDLE = MODEL.read_bytes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04 something", "not a LiteRT graph"),
        (BUNDLE[: BUNDLE.index(b"PK\x03\x04")], "carries no readable bundle.json"),
        (BUNDLE[:-100], "carries no readable bundle.json"),
        (BUNDLE[:5000] + bytes([BUNDLE[5000] ^ 1]) + BUNDLE[5001:], "does not have the digest"),
        (BUNDLE.replace(b'"temperature"', b'"tampered_at"'), "CRC-32"),
    ],
    ids=["zip", "plain graph", "cut", "changed graph", "changed description"],
)
def test_a_damaged_bundle_is_refused(content: bytes, reason: str, page: Any) -> None:
    ask = f"""async (b64) => {{
      const {{ readBundle }} = await import("/bundle.js");
      {BYTES}
      return readBundle(bytes).then(() => "read", (error) => error.message);
    }}"""
    assert reason in page.evaluate(ask, in_base64(content))


def test_a_bundle_of_a_newer_schema_is_refused(page: Any, tmp_path: Path) -> None:
    graph = BUNDLE[: BUNDLE.index(b"PK\x03\x04")]
    newer = tmp_path / "newer.tflite"
    newer.write_bytes(graph)
    with zipfile.ZipFile(newer, "a") as archive:
        archive.writestr("bundle.json", json.dumps({"schema_version": 99}))
    ask = f"""async (b64) => {{
      const {{ readBundle }} = await import("/bundle.js");
      {BYTES}
      return readBundle(bytes).then(() => "read", (error) => error.message);
    }}"""
    assert "schema 99" in page.evaluate(ask, in_base64(newer.read_bytes()))


def test_the_browser_reads_from_a_bundle_what_python_reads(
    page: Any, python: BundlePredictor
) -> None:
    ask = f"""async (b64) => {{
      const {{ readBundle }} = await import("/bundle.js");
      {BYTES}
      const {{ info, graph, modelCard, digestChecked }} = await readBundle(bytes);
      return [info, graph.length, modelCard, digestChecked];
    }}"""
    info, graph_bytes, card, checked = page.evaluate(ask, in_base64(BUNDLE))
    assert info == python.info.model_dump(mode="json", exclude_unset=True)
    assert (graph_bytes, card) == (len(python.bundle.graph), python.bundle.model_card)
    assert checked


@pytest.fixture(scope="module")
def webgpu_page(browser: Any, app_folder: Path) -> Iterator[Any]:
    """A page with WebGPU, computed by the processor where there is no graphics card."""
    software = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    started = start_chromium(browser.browser_type, *software, "--enable-features=Vulkan")
    with hosted(app_folder) as host:
        opened = started.new_page()
        opened.goto(f"{host.url}LICENSES.txt")
        if not opened.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU, not even in software")
        opened.evaluate(LOAD)
        yield opened
    started.close()


def test_webgpu_gives_the_same_answers(webgpu_page: Any, python: BundlePredictor) -> None:
    webgpu_page.evaluate(
        """async () => {
          const { Engine } = await import("/engine.js");
          const { engine, bundle } = predictor;
          predictor.engine = await Engine.make(engine.runtime, bundle, "webgpu");
        }"""
    )
    for name in ("jpeg turned 3", "png large", "png see-through"):
        answer = webgpu_page.evaluate(PREDICT, [in_base64(golden(name)), name])["prediction"]
        ours = python.predict_bytes(golden(name), name=name).to_dict()
        assert answer["probability"] == pytest.approx(ours["probability"], abs=DIFFERENCE)
        assert answer["top"] == ours["top"]


def test_webgpu_is_taken_only_if_it_agrees(webgpu_page: Any) -> None:
    reason = webgpu_page.evaluate(
        f"""async () => {{
          await ({LOAD})();
          await predictor.accelerate();
          return [predictor.engine.accelerator, predictor.engineReason];
        }}"""
    )
    assert reason[0] == ("webgpu" if "agrees" in reason[1] else "wasm")
    taken = webgpu_page.evaluate(
        """async () => {
          const { faster } = await import("/engine.js");
          const { engine, bundle } = predictor;
          // A judge that finds every two answers different.
          let calls = 0;
          const chosen = await faster(engine, bundle, () => [(calls += 1)]);
          return [chosen.engine === engine, chosen.reason];
        }"""
    )
    assert taken == [True, "WebGPU gives other answers"]


def test_a_lost_graphics_processor_is_replaced_by_webassembly(
    webgpu_page: Any, python: BundlePredictor
) -> None:
    lost, reason = webgpu_page.evaluate(
        f"""async (b64) => {{
          const {{ Engine }} = await import("/engine.js");
          const {{ engine, bundle }} = predictor;
          predictor.engine = await Engine.make(engine.runtime, bundle, "webgpu");
          predictor.engine.run = () => Promise.reject(new Error("device lost"));
          {BYTES}
          const {{ prediction }} = await predictor.predict(bytes, "x");
          return [prediction.probability, predictor.engineReason];
        }}""",
        in_base64(golden("png large")),
    )
    ours = python.predict_bytes(golden("png large")).to_dict()["probability"]
    assert lost == pytest.approx(ours, abs=DIFFERENCE)
    assert reason == "WebGPU failed: device lost"
