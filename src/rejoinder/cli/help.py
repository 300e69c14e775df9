"""How help reads: each command with its whole first sentence, arguments as one types them, no types of Python."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

_SPELLINGS = (  # of typer's help, and how people say it
    (re.compile(r" ?<(?:int|float)(?: range)?>"), " N"),
    (re.compile(r" <[^>]*>"), ""),
    (re.compile(r"([\d.]+)<=x<=9223372036854775807"), r"x>=\1"),
    (re.compile(r"([\d.]+)<=x<=([\d.]+)"), r"\1 to \2"),
    (re.compile(r"; x>=0(?![\d.]*[1-9])[\d.]*"), ""),  # nobody would try less
    (re.compile(r"x>=([\d.]+)"), r"at least \1"),
    (re.compile(r"default: \(([^)]*)\)"), r"default: \1"),
    (re.compile(r"default: (\d+)\.0(?=[;\]])"), r"default: \1"),
)


def with_example(said: str, *commands: str) -> str:
    """The help of some commands: what they are for, and how one of them is typed."""
    return f"{said}\n\n\b\nExample:\n" + "\n".join(f"  rejoinder {command}" for command in commands)


class HelpCommand(TyperCommand):
    """A command whose help names its arguments as one types them."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The line `Usage`, where only alternatives stand in braces."""
        return [re.sub(r"^\{([^|]*)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options."""
        _write_parameters(self, ctx, formatter)


class HelpGroup(TyperGroup):
    """Some commands, each told in full."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Options, then commands."""
        _write_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Each command with all of its first sentence, however many lines that takes."""
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(10_000)) for name, command in found if command is not None])


def _write_parameters(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        records = [param.get_help_record(ctx) for param in command.get_params(ctx) if param.param_type_name == kind]
        told = [tuple(map(_spelt, record)) for record in records if record is not None]
        if told:
            with formatter.section(title):
                formatter.write_dl([(name.removesuffix(" N") if kind == "argument" else name, help_) for name, help_ in told])


def _spelt(text: str) -> str:
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return text
