# Copyright: the linuxha.cluster contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema of a role's variables, made of the options of its meta/argument_specs.yml.

Private to linuxha.cluster; nothing outside may import it.
Dialect: Python 3.6, standard library only. Used on the controller.
"""
from typing import Any, Dict, Sequence

from .schema import LARGEST, TRUTH, Field, ListOf, Mapping, choice, decimal, number, text

Specification = Dict[str, Any]


def _any_mapping(raw: Any) -> Dict[Any, Any]:
    if not isinstance(raw, dict):
        raise ValueError
    return raw


def _as_text(field: Field) -> Field:
    """Return a field for a string that YAML or Jinja may have made a number or a truth of."""
    def convert(raw: Any) -> Any:
        return field.convert(str(raw) if isinstance(raw, (int, float)) else raw)
    return Field(convert, field.expected, field.secret)


def _text_of(option: Specification, multiline: bool) -> Field:
    if "choices" in option:
        return _as_text(choice(*option["choices"]))
    expected = "a text" if multiline else "a text of one line"
    return _as_text(text(None, expected, secret=option.get("no_log", False), multiline=multiline))


def _single(kind: str, option: Specification, multiline: bool) -> Field:
    if kind == "dict":
        if "options" in option:
            return schema_of(option["options"])
        return Field(_any_mapping, "a mapping", secret=True)  # anything may be in it
    if kind == "bool":
        return TRUTH
    if kind == "int":
        return number(-LARGEST, expected="a whole number")
    if kind == "float":
        return decimal(-LARGEST, LARGEST, "a number")
    return _text_of(option, multiline)


def _field_of(option: Specification, multiline: bool) -> Field:
    kind = option.get("type", "str")
    if kind == "list":
        return ListOf(_single(option.get("elements", "str"), option, multiline), "a list", make=list)
    return _single(kind, option, multiline)


def _default_of(option: Specification) -> Any:
    """Return the default; None for a template, which only Ansible can resolve."""
    default = option.get("default")
    return None if isinstance(default, str) and "{{" in default else default


def schema_of(options: Specification, multiline: Sequence[str] = ()) -> Mapping:
    """Return the schema of options by their names. ``multiline`` names those whose text may have several lines."""
    fields = {name: _field_of(option, name in multiline).default_to(_default_of(option))
              for name, option in options.items()}
    return Mapping(fields, [name for name, option in options.items() if option.get("required")])
