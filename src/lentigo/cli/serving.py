"""`lentigo serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    *,
    model: Annotated[
        Path | None, typer.Option(metavar="BUNDLE", help="[default: the model that ships]")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to serve on; `0.0.0.0` is the whole network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 5000,
    camera: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="`0`, `/dev/video0`, `rpicam`, a video, `pattern`."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A further host name that the page is opened by. Repeatable."),
    ] = None,
    code: Annotated[
        str | None, typer.Option(help="Access code that visitors have to give.")
    ] = None,
    per_minute: Annotated[int, typer.Option(help="Photos a minute from one address.", min=1)] = 120,
) -> None:
    """Serve the page: photos in, answers out, in a browser."""
    from lentigo.deploy.runtime import BundlePredictor, load_default
    from lentigo.web.camera.capture import Capture
    from lentigo.web.camera.sources import opener
    from lentigo.web.serve import listening
    from lentigo.web.serve import serve as run
    from lentigo.web.server import make_server
    from lentigo.web.settings import Limits, Settings

    sock = listening(host, port)
    predictor = load_default() if model is None else BundlePredictor(model)
    settings = Settings(names=tuple(name or ()), code=code, limits=Limits(per_minute=per_minute))
    capture = None if camera is None else Capture(opener(camera))
    server = make_server(predictor, settings, capture=capture)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{sock.getsockname()[1]}"
    run(server, sock, ready=lambda: print(address, flush=True))
