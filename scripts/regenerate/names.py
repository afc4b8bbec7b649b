"""Names in the generated code: unique, and different from the names that the code around them uses.

The generator turns the names of a description into Python names, and resolves the collisions that it notices. This
module resolves the others by an underscore after the name, or refuses them: a module that is written twice would lose
its first content.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

from openapi_python_client.config import ClassOverride, Config
from openapi_python_client.parser.openapi import Endpoint, EndpointCollection, GeneratorData
from openapi_python_client.schema.untrusted_string import UntrustedString
from openapi_python_client.strings import PythonIdentifier, fix_reserved_words

from regenerate.failure import RegenerationError
from regenerate.templates import raw
from regenerate.text import shown

CLASSES = frozenset(
    [
        *(
            "Any",
            "AuthenticatedClient",
            "Client",
            "ClassVar",
            "Decimal",
            "Final",
            "Literal",
            "Mapping",
            "Model",
            "NULL",
            "Null",
        ),
        *("Response", "STATUSES", "Self", "Sequence", "TypeAlias", "TypedDict", "UNSET", "UnexpectedStatus", "Unset"),
    ]
)
"""Names that the modules of models and endpoints import or define."""
BUILTINS = frozenset(["bool", "datetime", "float", "int", "list", "str", "tuple"])
"""Further names in types."""
MEMBERS = frozenset(
    ["MEMBERS", "additional_properties", "datetime", "define", "field", "from_dict", "to_dict", *CLASSES]
)
"""Attributes of every model, and names that its class body uses."""
ARGUMENTS = frozenset(
    [
        *("answer", "asyncio_detailed", "body", "client", "header_value", "headers", "kwargs", "params"),
        *("path_segment", "plain", "sync_detailed", *CLASSES),
    ]
)
"""Names in the functions that take an operation's parameters."""


def overrides(config: Config) -> None:
    """Schemas whose name the code imports already get the suffix Data, such as OrderData."""
    for name in CLASSES - config.class_overrides.keys():
        config.class_overrides[name] = ClassOverride.model_validate({"class_name": f"{name}Data"})


def settle(data: GeneratorData) -> None:
    """Gives every member and argument a unique name; refuses modules and classes whose names collide."""
    kinds = [one.class_info for one in (*data.models, *data.enums)]
    modules: dict[str, str] = {}
    for kind in kinds:
        if _normal(kind.name) != kind.name:
            raise RegenerationError(f"a schema is called {kind.name}, which Python reads as another name; {_ADVICE}")
        other = modules.setdefault(_alike(kind.module_name), kind.name)
        if other != kind.name:
            refuse_twice(f"the schemas {other} and {kind.name}", f"models/{kind.module_name}.py")
    for kind in kinds:
        if kind.name in CLASSES or kind.name in modules:
            raise RegenerationError(f"the schema {kind.name} has the name of something that the code uses; {_ADVICE}")
    classes = {kind.name for kind in kinds}
    for name in sorted(classes):
        if f"{name}Dict" in classes:
            raise RegenerationError(f"the schema {name}Dict has the name of the dict type of {name}; {_ADVICE}")
    for model in data.models:
        _name_apart([*(model.required_properties or ()), *(model.optional_properties or ())], MEMBERS | classes)
    tags: dict[Any, EndpointCollection] = {}
    for tag, collection in data.endpoint_collections_by_tag.items():
        tags.setdefault(_normal(tag), EndpointCollection(_normal(tag))).endpoints.extend(collection.endpoints)
    data.endpoint_collections_by_tag = tags
    written: dict[str, str] = {}
    for tag, collection in tags.items():
        for endpoint in collection.endpoints:
            endpoint.name = _identifier(_normal(endpoint.name))
            called = f"{endpoint.method.upper()} {shown(raw(endpoint.path))}"
            module = f"api/{tag}/{endpoint.name}.py"
            other = written.setdefault(_alike(module), called)
            if other != called:
                refuse_twice(f"the operations {other} and {called}", module)
            _name_arguments(endpoint, classes)


def refuse_twice(what: str, module: str) -> None:
    raise RegenerationError(f"{what} would both be {module}, and one of them be lost; {_ADVICE}")


_ADVICE = "openapi/overlay.yaml, or class_overrides in openapi/generator.yaml, can give it another name"


def _alike(module: str) -> str:
    """Some file systems ignore case."""
    return _normal(module).casefold()


def _normal(name: str) -> str:
    """Unicode has several forms of some letters; Python compares names in this one."""
    return unicodedata.normalize("NFKC", name)


def _identifier(name: str) -> PythonIdentifier:
    return str.__new__(PythonIdentifier, name)


def _name_arguments(endpoint: Endpoint, classes: set[str]) -> None:
    before = [one.python_name for one in endpoint.path_parameters]
    _name_apart(endpoint.path_parameters, ARGUMENTS | classes)
    segments = {f"{one.python_name}_segment" for one in endpoint.path_parameters}
    taken = {one.python_name for one in endpoint.path_parameters} | segments
    if len(taken) != 2 * len(endpoint.path_parameters):
        raise RegenerationError(f"{endpoint.name}: path parameters whose names collide; {_ADVICE}")
    _name_apart([*endpoint.query_parameters, *endpoint.header_parameters], ARGUMENTS | classes | taken)
    path = raw(endpoint.path)
    for old, one in zip(before, endpoint.path_parameters, strict=True):
        path = path.replace(f"{{{old}}}", f"{{{one.python_name}}}")
    endpoint.path = UntrustedString(path)


def _name_apart(properties: Iterable[Any], taken: Iterable[str]) -> None:
    """Each gets the first free one of name, name_, name__ and so on."""
    used = set(taken)
    for one in properties:
        name = fix_reserved_words(_normal(one.python_name))
        while name in used:
            name += "_"
        used.add(name)
        one.python_name = _identifier(name)
