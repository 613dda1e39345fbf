"""Every problem code the services can answer with, and its statuses, read from the source."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import tidings
from tidings.kit import errors
from tidings.kit.errors import ProblemError

SOURCE = Path(tidings.__file__).parent

_KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, ProblemError)
}


def problem_codes() -> dict[str, set[int]]:
    """Statuses by code. A code that is put together (`f"{service}_unavailable"`) has `*` for its parts."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        for code, status in _codes_in(ast.parse(path.read_text("utf-8"))):
            found[code].add(status)
    return dict(found)


def _codes_in(module: ast.Module) -> Iterator[tuple[str, int]]:
    makers = _makers(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from _codes_of_call(node, node.func.id, makers)
        elif isinstance(node, ast.Assign) and _is_framework_table(node):
            yield from _codes_of_table(node.value)
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and node.name in _KINDS:
            default = _default_code(node)
            if default:
                yield default, _KINDS[node.name].status


def _makers(module: ast.Module) -> dict[str, tuple[int, int]]:
    """Functions of a module that make an error from a code: its position, and the error's status."""
    return {
        node.name: (names.index("code"), _KINDS[node.returns.id].status)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Name)
        and node.returns.id in _KINDS
        and "code" in (names := [argument.arg for argument in node.args.args])
    }


def _codes_of_call(
    call: ast.Call, name: str, makers: dict[str, tuple[int, int]]
) -> Iterator[tuple[str, int]]:
    if name in makers:
        position, status = makers[name]
        yield from ((code, status) for code in _strings(call.args[position]))
    elif name in _KINDS:
        for keyword in call.keywords:
            if keyword.arg == "code":
                yield from ((code, _KINDS[name].status) for code in _strings(keyword.value))


def _strings(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _strings(body)
            yield from _strings(orelse)
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)


def _is_framework_table(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "_FRAMEWORK_CODES" for target in node.targets)


def _codes_of_table(table: ast.expr) -> Iterator[tuple[str, int]]:
    for status, (code, _) in ast.literal_eval(table).items():
        yield code, status


def _default_code(kind: ast.ClassDef) -> str | None:
    for node in ast.walk(kind):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            defaults = {argument.arg: default for argument, default in named}
            if isinstance(default := defaults.get("code"), ast.Constant):
                return str(default.value)
    return None
