"""`lentigo web-app`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Json


def web_app(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE", help="A .tflite file of lentigo, or a model that ships, by name."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    json: Json = False,
) -> None:
    """Write the offline app of a bundle. Static files for any web host."""
    from lentigo.web.static_app import write_app

    written = write_app(bundle, out)
    if json:
        from lentigo.cli.output import as_json

        as_json(
            {
                "path": str(written.folder),
                "files": written.files,
                "bytes": written.size_bytes,
                "version": written.version,
            }
        )
        return
    print(f"Offline app {written.version}: {written.folder}")
    print(f"  {written.files} files, {written.size_bytes / 1e6:.1f} MB, for any web host")
    print("  https (or localhost) is needed to install it and to use it without a network")
