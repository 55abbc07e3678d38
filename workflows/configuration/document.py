"""The options of every method and data set as Markdown; ``python -m workflows.configuration.document`` writes them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from datasets.files import replacing
from workflows.configuration import annotations, sources
from workflows.planning.specs import REFINEMENT

OPTIONS = sources.ROOT / "docs" / "options.md"
HEAD = """# Options

The keys that a configuration may set under `params` (how a method registers, how a data set is made) and `training`
(how a method learns), with their types, their defaults and their meaning. A default that is open depends on another
option. This file is made from the code by `python -m workflows.configuration.document`.
"""
REFINE = """`refine`, beside `params` in the entry of any method: steps of Adam that fit each displacement further to
its own pair ([methods/blocks/refinement](../methods/blocks/refinement/adam.py)), as part of the registration and its
seconds:
"""
KINDS = {"Params": "params", "Training": "training"}


def option_tables() -> str:
    """Return the text of docs/options.md: a section for each method and data set, a table for each group of options."""
    rooms = (("methods", "Methods"), ("datasets", "Data sets"))
    text = HEAD + "".join(f"\n## {title}\n{''.join(_sections(room))}" for room, title in rooms)
    return f"{text}\n## After any method\n\n{REFINE}\n{option_table(refinement_options())}"


def refinement_options() -> Mapping[str, sources.Option]:
    """Return the options of what may follow any registration."""
    return sources.options_of(sources.file_of(REFINEMENT), "Refinement")


def option_table(options: Mapping[str, sources.Option], prefix: str = "") -> str:
    """Return a Markdown table of options; those inside an option follow it, named ``option.inside``."""
    return "| option | type | default | meaning |\n| --- | --- | --- | --- |\n" + "".join(_rows(options, prefix))


def default_of(option: sources.Option) -> str:
    """Return an option's default as YAML has it, ``open`` where it depends on another option, ``required`` for none."""
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
        kind, meaning = annotations.in_words(option.annotation), option.doc.replace("|", r"\|")
        yield f"| `{prefix}{option.name}` | {kind} | `{default_of(option)}` | {meaning} |\n"
        yield from _rows(option.fields or {}, f"{prefix}{option.name}.")


if __name__ == "__main__":
    with replacing(OPTIONS) as temporary:
        temporary.write_text(option_tables(), encoding="utf-8")
