"""The options of every method and data set as Markdown; ``python -m workflows.configuration.document`` writes them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from datasets.files import replacing
from workflows.configuration import sources

OPTIONS = sources.ROOT / "docs" / "options.md"
HEAD = """# Options

The keys that a configuration may set under `params` (how a method registers, how a data set is made) and `training`
(how a method learns), with their types, their defaults and their meaning. A default that is open hangs on another
option. This file is made from the code by `python -m workflows.configuration.document`.
"""
WORDS = {
    "int": "whole number",
    "float": "number",
    "str": "text",
    "bool": "true or false",
    "Path": "path",
    "None": "null",
}
KINDS = {"Params": "params", "Training": "training"}


def option_tables() -> str:
    """Return the text of docs/options.md: a section for each method and data set, a table for each group of options."""
    rooms = (("methods", "Methods"), ("datasets", "Data sets"))
    return HEAD + "".join(f"\n## {title}\n{''.join(_sections(room))}" for room, title in rooms)


def option_table(options: Mapping[str, sources.Option], prefix: str = "") -> str:
    """Return a Markdown table of options; those inside an option follow it, named ``option.inside``."""
    return "| option | type | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(_rows(options, prefix))


def type_of(option: sources.Option) -> str:
    """Return an option's type in words that a reader of the configuration knows."""
    parts = [_kind(part) for part in _alternatives(ast.parse(option.annotation, mode="eval").body)]
    return " or ".join("keys and values" if option.fields and part != "null" else part for part in parts)


def default_of(option: sources.Option) -> str:
    """Return an option's default as YAML has it, ``open`` where it hangs on another option, ``required`` for none."""
    if option.default is ...:
        return "required"
    if option.default is None and "None" not in option.annotation:
        return "open"
    return json.dumps(option.default) if not isinstance(option.default, str) else option.default


def _sections(room: str) -> Iterator[str]:
    for name in sources.module_names(room):
        path = sources.ROOT / room / f"{name}.py"
        tables = {key: sources.options_of(path, kind) for kind, key in KINDS.items()}
        yield f"\n### {name}\n\n{_title(path)}\n"
        for key, options in tables.items():
            if options:
                yield f"\n`{key}`:\n\n{option_table(options)}"


def _title(path: Path) -> str:
    """The first line of a module's docstring, and a link to the module."""
    first = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").splitlines()[0]
    where = path.relative_to(sources.ROOT).as_posix()
    return f"{first} ([{where}](../{where}))"


def _rows(options: Mapping[str, sources.Option], prefix: str) -> Iterator[str]:
    for option in options.values():
        cells = f"{prefix}{option.name}", type_of(option), f"`{default_of(option)}`", option.doc.replace("|", r"\|")
        yield f"| `{cells[0]}` | {cells[1]} | {cells[2]} | {cells[3]} |\n"
        yield from _rows(option.fields or {}, f"{prefix}{option.name}.")


def _alternatives(node: ast.expr) -> list[ast.expr]:
    return [*_alternatives(node.left), *_alternatives(node.right)] if isinstance(node, ast.BinOp) else [node]


def _kind(node: ast.expr) -> str:
    name = ast.unparse(node.value if isinstance(node, ast.Subscript) else node)
    if not isinstance(node, ast.Subscript):
        return WORDS.get(name, name)
    inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return ", ".join(f"`{ast.literal_eval(value)}`" for value in inside)
    count = f"{len(inside)} of " if name == "tuple" and ast.unparse(inside[-1]) != "..." else ""
    return f"list of {count}{_kind(inside[0])}"


if __name__ == "__main__":
    with replacing(OPTIONS) as temporary:
        temporary.write_text(option_tables(), encoding="utf-8")
