"""Reads a Bicep module back into plain values, by the grammar of tree-sitter-bicep."""

from __future__ import annotations

from dataclasses import dataclass, field

import tree_sitter_bicep
from tree_sitter import Language, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))


class Expression(str):
    """What Bicep computes, such as `vnet.id`, as it stands in the module."""


@dataclass(frozen=True)
class Resource:
    """A resource, by its symbolic name."""

    symbol: str
    type: str
    api_version: str
    body: dict


@dataclass
class Module:
    """A module: its parameters with their defaults, and its resources in their order."""

    parameters: dict = field(default_factory=dict)
    variables: dict = field(default_factory=dict)
    described: set = field(default_factory=set)
    resources: list = field(default_factory=list)

    def of_type(self, name):
        """The resources of a type."""
        return [each for each in self.resources if each.type == name]


def read(text):
    """The module in a text. Asserts that all of it is Bicep."""
    root = _PARSER.parse(text.encode()).root_node
    assert not root.has_error, text
    module, described = Module(), False
    for node in root.named_children:
        if node.type == "decorators":
            described = b"@description(" in node.text
        elif node.type == "parameter_declaration":
            name, _, value = node.named_children
            module.parameters[_text(name)] = _value(value, {})
            if described:
                module.described.add(_text(name))
        elif node.type == "variable_declaration":
            name, value = node.named_children
            module.variables[_text(name)] = _value(value, {})
        elif node.type == "resource_declaration":
            symbol, kind, body = node.named_children
            type_name, version = _value(kind, {}).split("@")
            module.resources.append(
                Resource(_text(symbol), type_name, version, _value(body, module.parameters))
            )
    return module


def _value(node, known):
    """The value of a node; a parameter is replaced by its default."""
    if node.type == "object":
        return dict(_property(each, known) for each in node.named_children)
    if node.type == "array":
        return [_value(each, known) for each in node.named_children]
    if node.type == "number":
        return int(_text(node))
    if node.type == "boolean":
        return _text(node) == "true"
    if node.type == "string":
        return _string(node, known)
    return known.get(_text(node), Expression(_text(node)))


def _property(node, known):
    name, value = node.named_children
    key = _string(name, known) if name.type == "string" else _text(name)
    return key, _value(value, known)


def _string(node, known):
    parts, computed = [], False
    for part in node.named_children:
        if part.type == "interpolation":
            inside = _text(part.named_children[0])
            value = known.get(inside)
            computed = computed or not isinstance(value, str) or isinstance(value, Expression)
            parts.append("${" + inside + "}" if value is None else value)
        else:
            parts.append(_text(part).replace("\\'", "'").replace("\\$", "$").replace("\\\\", "\\"))
    return Expression("".join(parts)) if computed else "".join(parts)


def _text(node):
    return node.text.decode()
