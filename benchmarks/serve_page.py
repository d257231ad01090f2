"""What the page costs: start, memory, and its rate beside LiteRT's own.

    python benchmarks/serve_page.py --seconds 60

The rates of LiteRT alone and of the page are taken in turn. Photos of the page are JPEGs of
600 x 450 pixels, as HAM10000 has them; the page decodes, judges, preprocesses and answers over
HTTP. On a machine that does other things too, the ratio of processor times says more than that
of the rates.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from lentigo.deploy.runtime import load_default
from web_load import bare_rate, cpu_s, peak_mb, resident_mb, visit
from web_server import process


def photo(width: int, height: int, suffix: str = ".jpg", **options: int) -> bytes:
    """Coarse noise, enlarged and encoded."""
    small = np.random.default_rng(0).integers(90, 220, (24, 32, 3)).astype(np.uint8)
    flags = [value for pair in options.items() for value in (getattr(cv2, pair[0]), pair[1])]
    # Blocks for PNG, which would not fit a request as a gradient.
    how = cv2.INTER_NEAREST if suffix == ".png" else cv2.INTER_LINEAR
    large = cv2.resize(small, (width, height), interpolation=how)
    return bytes(cv2.imencode(suffix, large, flags)[1])


def start_s() -> float:
    """From the command to the printed address, the best of three."""
    times = []
    for _ in range(3):
        began = time.monotonic()
        with process():
            times.append(time.monotonic() - began)
    return min(times)


def memory() -> dict[str, float]:
    """Resident megabytes with camera and model at rest, and the peak over large photos."""
    large = {
        "jpeg_40mp": photo(8000, 5000),
        "progressive_jpeg_30mp": photo(6000, 5000, IMWRITE_JPEG_PROGRESSIVE=1),
        "png_40mp": photo(7300, 5470, ".png", IMWRITE_PNG_COMPRESSION=1),
        "webp_34mp": photo(6800, 5000, ".webp", IMWRITE_WEBP_QUALITY=80),
        "lossless_webp_12mp": photo(4000, 3000, ".webp"),
    }
    found: dict[str, float] = {}
    for name, content in large.items():
        with process("--camera", "pattern") as (started, (address, *_)):
            for _ in range(5):
                httpx.get(f"{address}/camera/status")
                time.sleep(0.2)
            found["at_rest"] = round(resident_mb(started.pid))
            answer = httpx.post(f"{address}/result", files={"photo": content}, timeout=60)
            found[f"peak_{name}"] = round(peak_mb(started.pid))
            assert answer.status_code == 200, (name, answer.text)
            time.sleep(1)
            found[f"after_{name}"] = round(resident_mb(started.pid))
    return found


def throughput(clients: int, seconds: float, rounds: int) -> dict[str, object]:
    """The page's rate beside that of LiteRT alone, taken in turn, so that both meet the same day.

    LiteRT alone: one engine of one thread for each core, the same picture again and again, nothing
    decoded, nothing judged, nothing sent. The page: 64 clients over HTTP, whose own work is done
    by the same cores.
    """
    predictor, content = load_default(), photo(600, 450)
    predictor.predict_bytes(content, alone=False)
    spent = cpu_s()
    for _ in range(50):
        predictor.predict_bytes(content, alone=False)
    alone_ms = 1000 * (cpu_s() - spent) / 50
    found: list[dict[str, float]] = []
    with process("--per-minute", "100000000") as (started, (address, *_)):
        port = int(address.rsplit(":", maxsplit=1)[1])
        visit(port, content, clients=clients, seconds=5)
        first = resident_mb(started.pid)
        for _ in range(rounds):
            spent = cpu_s()
            bare = bare_rate(predictor, seconds)
            bare_ms = 1000 * (cpu_s() - spent) / (bare * seconds)
            spent, own = cpu_s(started.pid), cpu_s()
            load = visit(port, content, clients=clients, seconds=seconds)
            answered = load.statuses[200]
            page_ms = 1000 * (cpu_s(started.pid) - spent) / answered
            found.append(
                {
                    "rate": load.rate,
                    "bare_litert_rate": bare,
                    "ratio": load.rate / bare,
                    "cpu_ms_a_photo": page_ms,
                    "cpu_ms_bare": bare_ms,
                    "cpu_ms_of_the_client": 1000 * (cpu_s() - own) / answered,
                    "cpu_ratio": bare_ms / page_ms,
                    "p50_ms": load.quantile_ms(0.5),
                    "p95_ms": load.quantile_ms(0.95),
                    "not_answered": sum(load.statuses.values()) - answered,
                }
            )
        last = resident_mb(started.pid)
    return {
        "clients": clients,
        "seconds_a_round": seconds,
        "median": {
            key: round(float(np.median([each[key] for each in found])), 3) for key in found[0]
        },
        "ratios": [round(each["ratio"], 3) for each in found],
        "cpu_ratios": [round(each["cpu_ratio"], 3) for each in found],
        "cpu_ms_without_http": round(alone_ms, 2),
        "resident_mb": [round(first), round(last)],
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description="What the page costs.")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=15, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["start_s", "memory_mb", "throughput"])
    options = parser.parse_args()
    parts: dict[str, Callable[[], object]] = {
        "start_s": lambda: round(start_s(), 2),
        "memory_mb": memory,
        "throughput": lambda: throughput(options.clients, options.seconds, options.rounds),
    }
    names = [options.only] if options.only else list(parts)
    print(json.dumps({name: parts[name]() for name in names}, indent=1))


if __name__ == "__main__":
    main()
