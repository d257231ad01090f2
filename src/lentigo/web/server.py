"""What one running server consists of."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

from lentigo.deploy.runtime import BundlePredictor
from lentigo.web.camera.capture import Capture
from lentigo.web.desk import Desk
from lentigo.web.gates import Budget
from lentigo.web.guard import Door
from lentigo.web.metrics import Metrics
from lentigo.web.offline import OfflineApp
from lentigo.web.settings import Settings
from lentigo.web.static import Asset, assets
from lentigo.web.told import Seal


@dataclass(frozen=True)
class Server:
    """The parts that requests meet.

    Attributes:
        settings: What it was told.
        desk: Answers photos.
        door: Checks requests.
        metrics: Counts them.
        bodies: Bytes of all requests under way.
        offline: The app that runs the same bundle in the browser.
        viewers: Live pictures being shown.
        shutters: Photos being taken with the camera.
        capture: The camera, where there is one.
        assets: The page's own files.
        seal: Signs answers, which travel with their pages.
    """

    settings: Settings
    desk: Desk
    door: Door
    metrics: Metrics
    bodies: Budget
    offline: OfflineApp
    viewers: Budget
    shutters: Budget
    capture: Capture | None = None
    assets: dict[str, Asset] = field(default_factory=assets)
    seal: Seal = field(default_factory=Seal)

    def close(self) -> None:
        """Let go of the camera and let the queue run out."""
        if self.capture is not None:
            self.capture.close()
        self.desk.close()


def make_server(
    predictor: BundlePredictor, settings: Settings, *, capture: Capture | None = None
) -> Server:
    """Put the parts together.

    Args:
        predictor: What answers.
        settings: How.
        capture: The camera; the server closes it when it ends.
    """
    metrics, limits = Metrics(), settings.limits
    return Server(
        settings=settings,
        desk=Desk(predictor, limits, metrics),
        door=Door(settings),
        metrics=metrics,
        bodies=Budget(limits.bodies_bytes),
        offline=OfflineApp(predictor.bundle, served=True),
        viewers=Budget(limits.viewers),
        shutters=Budget(limits.viewers),
        capture=capture,
    )


def server_of(request: Request) -> Server:
    """The server that a request came to."""
    server: Server = request.app.state.server
    return server
