"""What is looked at when a notification is registered, beyond what the description says of its members."""

from jsonschema import Draft202012Validator, SchemaError

from norce_order_async.sandbox.json_text import Json
from norce_order_async.sandbox.refusals import bad_request


def refuse_no_schema(notification: Json, path: str) -> None:
    """Refuse a schema that is none."""
    if "schema" not in notification:
        return
    try:
        Draft202012Validator.check_schema(notification["schema"])
    except SchemaError as error:
        place = "".join(f".{step}" for step in error.absolute_path)
        raise bad_request(f"{path}.schema{place}: is not valid in JSON Schema 2020-12") from None
    except RecursionError:
        raise bad_request(f"{path}.schema: is nested too deeply") from None
