"""The published schema of pulumi-aws: names and types of its Python classes, read from their text.

Importing the package's `ec2` takes a second or more; nothing of it runs here.
"""

import ast
import functools
import importlib.util
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PARSING = threading.Lock()  # Python 3.11 fails in two threads at once (github.com/python/cpython/issues/106905)
SIMPLE: dict[str, type | tuple[type, ...]] = {"str": str, "bool": bool, "int": int, "float": (int, float)}


@dataclass(frozen=True)
class Schema:
    """A resource: its type token, its inputs and outputs by Pulumi's names, each with its type as written."""

    token: str
    inputs: dict[str, str]
    required: frozenset[str]
    outputs: dict[str, str]


def installed() -> bool:
    return importlib.util.find_spec("pulumi_aws") is not None


@functools.cache
def resource(token: str) -> Schema:
    """The schema behind a token such as `aws:ec2/vpc:Vpc`."""
    module, name = token.removeprefix("aws:").split(":")
    classes = _classes(f"{_folders(module)}.py")
    inputs = _getters(classes[f"{name}Args"])
    told = [node.value for node in ast.walk(classes[name]) if isinstance(node, ast.Constant)]
    return Schema(
        token=next(word for word in told if isinstance(word, str) and word.startswith("aws:") and "/" in word),
        inputs=inputs,
        required=frozenset(key for key, kind in inputs.items() if "Optional" not in kind),
        outputs=_getters(classes[name]),
    )


@functools.cache
def function(module: str, result: str) -> tuple[dict[str, str], set[str]]:
    """The outputs of a function's result class, and the arguments that the function sends."""
    classes = _classes(module)
    tree = _parsed((_package() / module).read_text())
    sent = {
        ast.literal_eval(node.targets[0].slice)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Subscript)
        and ast.unparse(node.targets[0].value) == "__args__"
    }
    return _getters(classes[result]), sent


def provider() -> set[str]:
    return set(_getters(_classes("provider.py")["ProviderArgs"]))


def nested(module: str, name: str) -> dict[str, str]:
    """The fields of an object such as `InstanceMetadataOptions` in `ec2/outputs.py`."""
    return _getters(_classes(module)[name])


def conforms(value: Any, kind: str) -> bool:
    """Whether a value fits a type as written, e.g. `pulumi.Output[Optional[Sequence[str]]]`; None fits everywhere."""
    return value is None or _fits(value, _expression(kind.replace("_builtins.", "")))


def _fits(value: Any, kind: ast.expr) -> bool:
    if isinstance(kind, ast.Constant):  # an object of its own, by name
        return isinstance(value, dict)
    if isinstance(kind, ast.Subscript):
        of, inner = ast.unparse(kind.value).rpartition(".")[2], kind.slice
        if of == "Sequence":
            return isinstance(value, list) and all(_fits(item, inner) for item in value)
        if of == "Mapping":
            assert isinstance(inner, ast.Tuple)
            return isinstance(value, dict) and all(_fits(item, inner.elts[1]) for item in value.values())
        if of == "Union":
            assert isinstance(inner, ast.Tuple)
            return any(_fits(value, one) for one in inner.elts)
        return _fits(value, inner)  # Input, Output, Optional
    name = ast.unparse(kind)
    simple = SIMPLE.get(name)
    if simple is None:
        return isinstance(value, dict)
    return isinstance(value, simple) and (name == "bool" or not isinstance(value, bool))


def _folders(module: str) -> str:
    folder, _, name = module.partition("/")
    return f"{folder}/{''.join(f'_{c.lower()}' if c.isupper() else c for c in name)}"


def _parsed(text: str) -> ast.Module:
    with _PARSING:
        return ast.parse(text)


def _expression(text: str) -> ast.expr:
    with _PARSING:
        return ast.parse(text, mode="eval").body


def _package() -> Path:
    found = importlib.util.find_spec("pulumi_aws")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


@functools.cache
def _classes(path: str) -> dict[str, ast.ClassDef]:
    tree = _parsed((_package() / path).read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _getters(cls: ast.ClassDef) -> dict[str, str]:
    """The properties of a class by their Pulumi names, with the types that they return."""
    found = {}
    for node in cls.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if ast.unparse(mark) == "pulumi.getter":
                found[node.name] = _written(node)
            elif isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pulumi.getter":
                found[ast.literal_eval(mark.keywords[0].value)] = _written(node)
    return found


def _written(node: ast.FunctionDef) -> str:
    return ast.unparse(node.returns) if node.returns else ""
