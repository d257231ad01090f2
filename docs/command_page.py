"""The reference page of the command line, from Typer's own account of it."""  # noqa: INP001 - see generate.py

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from markdown_pages import markdown, page, table

from lentigo.cli.app import app


def commands() -> Mapping[str, Any]:
    """The command line's commands by name, in the order of its help."""
    root = typer.main.get_command(app)
    found: Mapping[str, Any] = root.commands  # type: ignore[attr-defined]
    return found


def cli_page() -> str:
    """Every command with its arguments and options."""
    opening = (
        "Options of `lentigo` itself: `--version` prints the version, `--verbose` says more on "
        "stderr, `--help` after any command explains it. Results go to stdout, progress to "
        "stderr. Exit codes: 0 done; 1 done but for something that is named: images that could "
        "not be read (`predict`, `quality`), variants that failed (`reproduce`, `sweep`), "
        "something amiss on the device (`doctor`); 2 the input was refused, with the reason and "
        "what to do; 130 interrupted; 141 nobody read the output on (`| head`)."
    )
    parts = [
        opening,
        table(
            ("command", "what it does"),
            [
                (f"[`{name}`](#lentigo-{name})", markdown(each.help or "").replace("\n", " "))
                for name, each in commands().items()
            ],
        ),
    ]
    for name, command in commands().items():
        parts += [f"## lentigo {name}", markdown(command.help or ""), _usage(name, command)]
        rows = [row for each in command.params if (row := _parameter_row(command, each))]
        if rows:
            parts.append(table(("argument or option", "value", "default", "meaning"), rows))
    return page("The command line", *parts)


def _usage(name: str, command: Any) -> str:
    words = ["lentigo", name]
    words += [_argument_name(p) for p in command.params if p.param_type_name == "argument"]
    words += [
        f"{p.opts[0]} {_value_name(command, p)}"
        for p in command.params
        if p.param_type_name == "option" and p.required
    ]
    return f"```text\n{' '.join(words)} [OPTIONS]\n```"


def _argument_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _parameter_row(command: Any, parameter: Any) -> tuple[str, str, str, str] | None:
    if parameter.name == "help":
        return None
    if parameter.param_type_name == "argument":
        label = f"`{_argument_name(parameter)}`"
    else:
        label = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    value = _value_name(command, parameter)
    default = "required" if parameter.required else _default(command, parameter)
    return label, f"`{value}`" if value else "", default, markdown(parameter.help or "")


def _annotation(command: Any, parameter: Any) -> tuple[Any, Any, Any]:
    """A parameter's bare type, Typer's description of it, and the function's own default."""
    function: Callable[..., Any] = inspect.unwrap(command.callback)
    signature = inspect.signature(function, eval_str=True)
    own = signature.parameters[parameter.name]
    annotation, info, default = own.annotation, None, own.default
    if get_origin(annotation) is Annotated:
        annotation, info = get_args(annotation)[:2]
    elif hasattr(default, "default"):
        info, default = default, default.default
    if get_origin(annotation) in {Union, types.UnionType}:
        annotation = next(each for each in get_args(annotation) if each is not type(None))
    return annotation, info, default


def _value_name(command: Any, parameter: Any) -> str:
    annotation, info, _ = _annotation(command, parameter)
    several = get_origin(annotation) is list
    if several:
        annotation = get_args(annotation)[0]
    if annotation is bool:
        return ""
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        name = "|".join(str(each.value) for each in annotation)
    elif annotation is int:
        name = "INTEGER" + _bounds(getattr(info, "min", None), getattr(info, "max", None))
    else:
        name = {"str": "TEXT", "Path": "PATH", "float": "NUMBER"}[annotation.__name__]
    if parameter.param_type_name == "option" and parameter.metavar:
        name = parameter.metavar
    return f"{name} ..." if several else name


def _bounds(low: float | None, high: float | None) -> str:
    limits = ((">=", low), ("<=", high))
    return "".join(f" {sign} {value:g}" for sign, value in limits if value is not None)


def _default(command: Any, parameter: Any) -> str:
    default = _annotation(command, parameter)[2]
    if isinstance(default, enum.Enum):
        default = default.value
    if default is None or default is False or default is inspect.Parameter.empty:
        return ""
    if default is True:
        return f"`{parameter.opts[0]}`"
    return f"`{default.as_posix() if isinstance(default, Path) else default}`"
