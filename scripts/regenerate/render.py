"""Writes the package: the generator parses the description, and the templates in openapi/templates write the code.

It is a program of its own, so that it can be stopped: `python -m regenerate.render DESCRIPTION SETTINGS TEMPLATES
PACKAGE`. The generator's own templates and its escaping are not used. Texts of a description get into the code only
through the filters `prose` and `quoted` (see `text`); all else is names that the generator makes. A part that can't be
written is refused, by name.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from openapi_python_client import strings
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser.errors import GeneratorError
from openapi_python_client.parser.openapi import Endpoint, GeneratorData
from openapi_python_client.parser.properties import LiteralEnumProperty, model_property
from openapi_python_client.schema.untrusted_string import UntrustedString

from regenerate import text
from regenerate.failure import RegenerationError
from regenerate.names import BUILTINS, CLASSES, overrides, settle
from regenerate.templates import environment, is_bare, own, raw, refuse


def main(description: Path, settings: Path, templates: Path, package: Path) -> None:
    """Writes the package into a new folder."""
    config = Config.from_sources(
        ConfigFile.load_from_path(settings),
        meta_type=MetaType.NONE,
        document_source=description,
        file_encoding="utf-8",
        overwrite=False,
        output_path=package,
    )
    overrides(config)
    # It would give both of two members another name, and up when that is the same; `settle` does it for any number.
    model_property._resolve_naming_conflict = _no_conflict  # noqa: SLF001 - pinned, and there is no other way
    data = GeneratorData.from_dict(json.loads(description.read_bytes()), config=config)
    if isinstance(data, GeneratorError):
        raise RegenerationError(_told([data]))
    errors = [*data.errors, *(one for tag in data.endpoint_collections_by_tag.values() for one in tag.parse_errors)]
    if errors:
        raise RegenerationError(_told(errors))
    settle(data)
    _Package(package, templates).write(data)


def _no_conflict(*_given: object) -> None:
    return None


def _told(errors: list[Any]) -> str:
    """The parts that the generator could not read. By default it would leave them out and go on."""
    lines = [line for one in errors for line in f"{one.header}\n{one.detail or ''}".splitlines() if line.strip()]
    return "\n".join(_NAMELESS.sub("(a name)", text.shown(line, 400)) for line in lines)


_NAMELESS = re.compile(r"<openapi_python_client\.\S+ object at 0x[0-9a-f]+>")


class _Package:
    """A folder, and the templates that fill it."""

    def __init__(self, folder: Path, templates: Path) -> None:
        self._folder = folder
        self._environment = environment(templates)
        self._environment.filters["pascalcase"] = strings.pascal_case
        self._environment.globals["url"] = _url

    def write(self, data: GeneratorData) -> None:
        about = UntrustedString(f"A client library for accessing {raw(data.title)}")
        self._file("__init__.py", "package_init", about=about)
        for name in ("types", "client", "errors"):
            self._file(f"{name}.py", name)
        self._file("api/__init__.py", "api_init")
        self._file("models/__init__.py", "models_init", classes=[one.class_info for one in (*data.models, *data.enums)])
        self._file("dicts.py", "dicts", dicts=_dicts(data))
        for model in data.models:
            self._file(f"models/{model.class_info.module_name}.py", "model", model=model)
        for enum in data.enums:
            if not isinstance(enum, LiteralEnumProperty):
                refuse(enum.class_info.name, "an enum that is no Literal (literal_enums in generator.yaml)")
            self._file(f"models/{enum.class_info.module_name}.py", "literal_enum", enum=enum)
        for tag, collection in data.endpoint_collections_by_tag.items():
            self._file(f"api/{tag}/__init__.py", "endpoint_init")
            for endpoint in collection.endpoints:
                self._file(f"api/{tag}/{endpoint.name}.py", "endpoint_module", endpoint=endpoint)

    def _file(self, name: str, template: str, **values: object) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written = self._environment.get_template(f"{template}.py.jinja").render(**values)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(written)


def _dicts(data: GeneratorData) -> list[dict[str, Any]]:
    """The models that are sent and the models inside them, by name, each with the members that a caller can give.

    A model is not plain if the name of a member has another meaning in a class.
    """
    models = {one.class_info.name: one for one in data.models if one.data.properties or one.data.allOf}
    taken = CLASSES | BUILTINS | models.keys() | {f"{name}Dict" for name in models}
    taken |= {one.class_info.name for one in data.enums}
    found: dict[str, dict[str, Any]] = {}
    endpoints = [one for tag in data.endpoint_collections_by_tag.values() for one in tag.endpoints]
    left: list[Any] = [body.prop for endpoint in endpoints for body in endpoint.bodies]
    while left:
        one = left.pop()
        left += getattr(one, "inner_properties", ())
        left += [one.inner_property] if hasattr(one, "inner_property") else []
        model = models.get(one.class_info.name) if hasattr(one, "class_info") else None
        if model is None or model.class_info.name in found:
            continue
        given = [*(model.required_properties or ()), *(model.optional_properties or ())]
        members = [each for each in given if not getattr(own(model, each), "readOnly", False)]
        names = [raw(each.name) for each in members]
        plain = all(is_bare(name) and name not in taken for name in names)
        found[model.class_info.name] = {"model": model, "members": members, "plain": plain}
        left += members
    return [found[name] for name in sorted(found)]


def _url(endpoint: Endpoint) -> str:
    """The path as a literal with places for the quoted ids."""
    places = {f"{{{one.python_name}}}": f"{{{one.python_name}_segment}}" for one in endpoint.path_parameters}
    parts = [raw(endpoint.path)]
    for place in places:
        parts = [part for whole in parts for part in whole.partition(place)]
    if any(brace in part for part in parts if part not in places for brace in "{}"):
        refuse(endpoint.name, "a path with a brace that belongs to no path parameter")
    path = "".join(places.get(part) or text.in_quotes(part) for part in parts)
    return f'f"{path}"' if places else f'"{path}"'


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except RegenerationError as error:
        sys.exit(str(error))
