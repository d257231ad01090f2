"""`lentigo serve`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lentigo.errors import InputError

_UNSPOKEN = "the certificate speaks for names and addresses of private networks alone"


def serve(
    *,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="A file, or the name of a model that ships [default: lentigo-ham10000].",
        ),
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
    https: Annotated[
        bool, typer.Option("--https", help="Serve a secure page as well, with a local authority.")
    ] = False,
    https_port: Annotated[int, typer.Option(help="Of the secure page.", min=0, max=65535)] = 5443,
    certificates: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the authority and its key lie.")
    ] = Path("~/.local/share/lentigo/certificates"),
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Store photos and answers there; the page says so."),
    ] = None,
    per_minute: Annotated[int, typer.Option(help="Photos a minute from one address.", min=1)] = 120,
) -> None:
    """Serve the page: photos in, answers out, in a browser."""
    from lentigo.deploy.runtime import BundlePredictor, load_default
    from lentigo.web.camera.capture import Capture
    from lentigo.web.camera.sources import opener
    from lentigo.web.kept import prepare as prepare_folder
    from lentigo.web.names import hosts_to_open
    from lentigo.web.serve import listening
    from lentigo.web.serve import serve as run
    from lentigo.web.server import make_server
    from lentigo.web.settings import Limits, Settings

    names = tuple(name or ())
    if code is not None and not code.strip():
        raise InputError("The access code is empty.", todo="Give several words: --code 'a b c'.")
    if keep is not None:
        prepare_folder(keep)
    sock = listening(host, port)
    secure = listening(host, https_port, "--https-port") if https else None
    made = None
    if https:
        from lentigo.web.certificates import prepare

        made = prepare(certificates.expanduser(), host=host, extra=names)
    predictor = load_default() if model is None else BundlePredictor(model)
    capture = None if camera is None else Capture(opener(camera))
    settings = Settings(
        names=names,
        code=code,
        keep=keep,
        https_port=None if secure is None else secure.getsockname()[1],
        certificates=made,
        limits=Limits(per_minute=per_minute),
    )

    def say() -> None:
        hosts = hosts_to_open(host)
        for each in hosts:
            print(f"http://{each}:{sock.getsockname()[1]}", flush=True)
        if made is not None:
            for each in hosts:
                if each.strip("[]") in made.names:
                    print(f"https://{each}:{settings.https_port}", flush=True)
                else:
                    print(f"lentigo: {each} has no https: {_UNSPOKEN}", file=sys.stderr)
            print(f"lentigo: SHA-256 of the authority: {made.fingerprint}", file=sys.stderr)
        if capture is not None:
            capture.want()  # what is wrong with it is logged while its operator looks

    run(make_server(predictor, settings, capture=capture), sock, secure=secure, ready=say)
