"""What `/metrics` counts, in Prometheus's text form 0.0.4.

Nothing of a request is kept but its route, its status and how long it took.
"""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Durations, counted in buckets; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = [0] * (len(BUCKETS_S) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        place = sum(seconds > bound for bound in BUCKETS_S)
        with self._lock:
            self._counts[place] += 1
            self._sum += seconds

    def lines(self, name: str) -> list[str]:
        """The text form, cumulative."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        found, below = [f"# TYPE {name} histogram"], 0
        for bound, count in zip((*BUCKETS_S, None), counts, strict=True):
            below += count
            label = "+Inf" if bound is None else f"{bound:g}"
            found.append(f'{name}_bucket{{le="{label}"}} {below}')
        return [*found, f"{name}_sum {total:.6f}", f"{name}_count {below}"]


class Metrics:
    """What one server counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.predictions = Histogram()

    def text(self, *, waiting: int, camera: bool | None) -> str:
        """All of it.

        Args:
            waiting: Photos under way now.
            camera: Whether the camera gives pictures; None where there is none.
        """
        lines = ["# TYPE lentigo_requests_total counter"]
        for (route, status), count in sorted(self.requests.items()):
            lines.append(f'lentigo_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += self.predictions.lines("lentigo_prediction_seconds")
        lines += ["# TYPE lentigo_photos_waiting gauge", f"lentigo_photos_waiting {waiting}"]
        if camera is not None:
            lines += ["# TYPE lentigo_camera_up gauge", f"lentigo_camera_up {int(camera)}"]
        if (resident := resident_bytes()) is not None:
            lines += [
                "# TYPE process_resident_memory_bytes gauge",
                f"process_resident_memory_bytes {resident}",
            ]
        return "\n".join([*lines, ""])


def resident_bytes() -> int | None:
    """Resident memory of this process; None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return None
    line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) * 1024
