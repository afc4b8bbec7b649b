"""A small repository: a description with two operations, and code that fits it.

A run of the command on it takes a fraction of one on this repository. So tests that are about the command, and not
about what it makes of this description, use a copy of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]

_DESCRIPTION = """\
openapi: 3.0.3
info:
  title: Norce in small
  version: '0'
paths:
  /orders/{order_id}:
    get:
      operationId: GetOrder
      tags: [checkout]
      parameters:
        - {name: order_id, in: path, required: true, schema: {type: string}}
      responses:
        '200':
          description: The order
          content:
            application/json:
              schema: {type: object, properties: {cart: {$ref: '#/components/schemas/Cart'}}}
  /orders/{order_id}/cart:
    put:
      operationId: UpdateCart
      tags: [checkout]
      parameters:
        - {name: order_id, in: path, required: true, schema: {type: string}}
      requestBody:
        required: true
        content:
          application/json:
            schema:
              $ref: '#/components/schemas/Cart'
      responses:
        '204':
          description: Replaced
components:
  schemas:
    Cart:
      type: object
      properties:
        total:
          allOf:
          - $ref: '#/components/schemas/Price'
          description: Sum of the cart without shipping.
        discounts:
          type: array
          items:
            $ref: '#/components/schemas/Discount'
        status:
          $ref: '#/components/schemas/OrderStatus'
    Discount:
      type: object
      properties:
        type:
          allOf:
          - $ref: '#/components/schemas/DiscountType'
          description: Of the item or of the whole.
    DiscountType:
      type: string
      enum:
      - Item
      - Order
    OrderStatus:
      type: string
      enum:
      - created
      - removed
    Price:
      type: object
      properties:
        includingVat:
          type: number
"""
_OVERLAY = """\
overlay: 1.0.0
info: {title: Corrections, version: '1'}
actions:
- target: $.info
  description: A summary helps readers.
  update: {description: Two operations.}
"""
_CODE = {
    "context.py": "class Context:\n    pass\n",
    "pipeline/operations.py": 'GET_ORDER = Operation("GetOrder", "checkout")\n'
    'UPDATE_CART = Operation("UpdateCart", "checkout")\n',
    "pipeline/request.py": "def prepare(): ...\n",
    "orders/lifecycle.py": 'EDGES = {"created": ("removed",), "removed": ()}\n',
    "orders/filter.py": "class OrderFilter:\n    pass\n",
    "orders/checking.py": "PATTERNS = {}\n",
    "orders/record.py": "class Order:\n"
    "    async def get(self): return await self._session.call(GET_ORDER)\n"
    "    async def put(self, cart): return await self._session.call(UPDATE_CART)\n",
    "sandbox/service/handlers/__init__.py": "",
    "sandbox/service/handlers/order.py": 'HANDLERS = {"GetOrder": fetch, "UpdateCart": put}\n',
}


def write(folder: Path) -> None:
    """Write all of it except the generated package."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=ignored)
    shutil.copytree(ROOT / "openapi", folder / "openapi", ignore=ignored)
    (folder / "openapi/order-management.v0.yaml").write_text(_DESCRIPTION, encoding="utf-8")
    (folder / "openapi/overlay.yaml").write_text(_OVERLAY, encoding="utf-8")
    write_code(folder)


def write_code(folder: Path) -> None:
    """Write the code beside the description, as much of it as the command reads."""
    for name, text in _CODE.items():
        path = folder / "src" / "norce_order_async" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
