"""Read a configuration file; every fault of it is one line that names the file, the place and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from benchmarks.records import Options
from datasets.files import one_line
from workflows.configuration.config import SettingsError, nearest

MOST_VALUES = 100_000  # that a file may say; the catalogue says some thousands
# Libyaml reads this project's files in a tenth of the time; deep nesting in those of others would overrun its stack.
OURS: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _FaultError(yaml.MarkedYAMLError):
    """A fault found here, in words of our own."""


def read_yaml(path: Path, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Options:
    """Read a YAML or JSON mapping; a fault of the file is a `SettingsError` that names it and the line."""
    text = _text(path)
    try:
        content = _json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else _yaml(text, loader)
        json.dumps(content, skipkeys=True, default=str)  # refuses what contains itself
    except yaml.MarkedYAMLError as error:
        raise SettingsError(f"{path}{_line(error)}: {_problem(error)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML or JSON: {one_line(error)}") from error
    if content is None:
        raise SettingsError(f"{path}: the file says nothing; workflows/config/smoke.yaml shows what a profile says")
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"only {str(content)[:40]!r}"
        raise SettingsError(
            f"{path}: expected keys and values at the top, found {kind}; begin with a line `profile: ...`"
        )
    return content


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        others = [each.name for each in path.parent.glob("*.[yj][as]*")] if path.parent.is_dir() else []
        hint = nearest(path.name, others) if others else "all words behind --configfile are names of such files"
        raise SettingsError(f"{path}: cannot be read, there is no such file; {hint}") from error
    except IsADirectoryError as error:
        raise SettingsError(f"{path}: cannot be read, it is a folder; name a YAML or JSON file") from error
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}); correct its owner or mode") from error
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SettingsError(f"{path}: the text is UTF-16; save it as UTF-8")
    if b"\0" in content:
        raise SettingsError(f"{path}: this is no text file; name a YAML or JSON file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line, byte = content[: error.start].count(b"\n") + 1, content[error.start]
        raise SettingsError(
            f"{path}, line {line}: the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        ) from error


def _json(text: str) -> Any:
    """Read JSON, and YAML that begins like it; a fault is that of YAML, which has the line."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as fault:
        try:
            return _yaml(text)
        except yaml.YAMLError:
            mark = yaml.Mark("", 0, fault.lineno - 1, fault.colno - 1, None, 0)
            raise _FaultError(problem=f"not valid JSON: {fault.msg}", problem_mark=mark) from fault


def _once(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"the key {twice[0]!r} appears twice; keep one of them")
    return dict(pairs)


def _yaml(text: str, loader: type[yaml.SafeLoader] = yaml.SafeLoader) -> Any:
    reading = loader(text)
    try:
        if (node := reading.get_single_node()) is None:
            return None
        _check(node, {})
        return reading.construct_document(node)
    finally:
        reading.dispose()


def _check(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Return how many values a node stands for, its aliases written out; refuse what YAML would change in silence.

    The loader takes the last of equal keys, and ``<<`` adds some, so this comes before it.
    """
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = 1
    if isinstance(node, yaml.ScalarNode):
        _check_number(node)
        return 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
    parts = [part for child in node.value for part in (child if isinstance(child, tuple) else (child,))]
    sizes[id(node)] += sum(_check(part, sizes) for part in parts)
    if sizes[id(node)] > MOST_VALUES:
        problem = f"with its aliases written out this is more than {MOST_VALUES} values; write fewer aliases"
        raise _FaultError(problem=problem, problem_mark=node.start_mark)
    return sizes[id(node)]


def _check_keys(node: yaml.MappingNode) -> None:
    keys = [(key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key) for key, _ in node.value]
    for number, (key, _) in enumerate(node.value):
        if keys[number] in keys[:number]:
            problem = f"the key {key.value!r} appears twice; keep one of them"
            raise _FaultError(problem=problem, problem_mark=key.start_mark)


def _check_number(node: yaml.ScalarNode) -> None:
    """Refuse numbers that YAML 1.1 reads as others: 010 as 8, 1:30 as 90."""
    if node.tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        return
    if ":" in node.value or re.fullmatch("[-+]?0[0-9_]+", node.value):
        problem = f"YAML reads {node.value} as another number; write it without a leading 0 or a colon, or in quotes"
        raise _FaultError(problem=problem, problem_mark=node.start_mark)


def _line(error: yaml.MarkedYAMLError) -> str:
    return f", line {error.problem_mark.line + 1}" if error.problem_mark else ""


def _problem(error: yaml.MarkedYAMLError) -> str:
    text = one_line(error.problem or error)
    if isinstance(error, _FaultError):
        return text
    if "'\\t'" in text:
        return "a line is indented by a tab; YAML wants spaces"
    if "could not determine a constructor for the tag" in text:
        return f"{text.rpartition(' ')[2]} asks for code to be run, which is refused; write plain values"
    return f"not valid YAML: {text}"
