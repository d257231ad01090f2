"""The commands. Imports that cost time stand inside them, so that `predict` starts fast."""

from __future__ import annotations

import typer

from lentigo.cli import (
    auditing,
    comparing,
    devices,
    judging,
    leaking,
    listings,
    papers,
    predicting,
    preparing,
    publishing,
    quantizing,
    reporting,
    serving,
    steps,
)

app = typer.Typer(
    name="lentigo",
    help="Train, honestly measure and deploy lightweight skin-lesion classifiers. "
    "Research and teaching only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(preparing.download)
app.command()(preparing.prepare)
app.command()(auditing.audit)
app.command()(preparing.merge)
app.command()(steps.train)
app.command()(steps.soup)
app.command()(reporting.evaluate)
app.command()(reporting.report)
app.command()(comparing.compare)
app.command()(comparing.score)
app.command()(steps.export)
app.command()(predicting.predict)
app.command()(judging.quality)
app.command()(predicting.show)
app.command()(serving.serve)
app.command()(papers.check_scores)
app.command()(papers.reproduce)
app.command()(papers.sweep)
app.command()(leaking.leak)
app.command()(publishing.web_app)
app.command()(quantizing.quantizations)
app.command()(devices.inspect)
app.command()(devices.bench)
app.command()(devices.doctor)
app.command()(listings.recipes)
app.command()(listings.networks)
app.command()(listings.sources)
app.command()(steps.demo)


@app.callback(invoke_without_command=True)
def lentigo(
    context: typer.Context,
    *,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Say more on stderr."),
) -> None:
    """Train, honestly measure and deploy lightweight skin-lesion classifiers.

    Research and teaching only: not a medical device.
    """
    if version:
        from importlib.metadata import version as installed

        print(installed("lentigo"))
        raise typer.Exit
    if context.invoked_subcommand is not None:
        import logging

        level = logging.INFO if verbose else logging.WARNING
        logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
        if not verbose:
            # It warns of every further network that a grid builds, which is what grids do.
            logging.getLogger("tensorflow").setLevel(logging.ERROR)
