"""Item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    Model,
    Word as _Word,
    as_object as _as_object,
    keep_list as _keep_list,
    note_odd as _note_odd,
    or_keep as _or_keep,
    read_integer as _read_integer,
    read_word as _read_word,
    supply as _supply,
    with_rest as _with_rest,
    write_number as _write_number,
    write_object as _write_object,
)
from .product_type import PRODUCT_TYPE_VALUES, PRODUCT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .product_type import ProductType


@define
class Item(Model):
    """One line of the cart.

    Attributes:
        id: Identifier of the line.
        reference: Identifier of the line in the commerce platform; may be left out.
        name: Display name.
        sku: Article number.
        product_type: Kind of product; physical when left out.
        items: Parts of a bundle.
        url: Address of the product page.
        image_url: Address of a picture.
        quantity: How many.
        unit: Unit of the quantity, such as st or kg.
        price: Price for one, before discount.
        total: Line sum after discount.
        original_total: Line sum before discount.
        vat_rate: VAT as a fraction; 0.25 stands for 25 %.
        discounts: Discounts on this line.
        logistics: Weight, measures and the like, used for shipping.
        upsell: True for a line that is to be added once the order has been accepted.
        attributes: Free-form extra data kept with the line.
        additional_properties: What came beside the description or did not fit it, under its JSON name.
    """

    MEMBERS: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "reference",
            "name",
            "sku",
            "productType",
            "items",
            "url",
            "imageUrl",
            "quantity",
            "unit",
            "price",
            "total",
            "originalTotal",
            "vatRate",
            "discounts",
            "logistics",
            "upsell",
            "attributes",
        }
    )

    id: str | None = None
    reference: str | None = field(default=None, repr=False)
    name: str | None = field(default=None, repr=False)
    sku: str | None = field(default=None, repr=False)
    product_type: ProductType | str | None = None
    items: list[Item] | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    image_url: str | None = field(default=None, repr=False)
    quantity: int | None = None
    unit: str | None = field(default=None, repr=False)
    price: Price | None = field(default=None, repr=False)
    total: Price | None = field(default=None, repr=False)
    original_total: Price | None = field(default=None, repr=False)
    vat_rate: float | None = None
    discounts: list[Discount] | None = field(default=None, repr=False)
    logistics: Logistics | None = field(default=None, repr=False)
    upsell: bool | None = None
    attributes: Attributes | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _list: list[Any]
        _one: Any
        _v: Any
        _result: dict[str, Any] = {}
        if (_v := self.id) is not None:
            _result["id"] = _v
        if (_v := self.reference) is not None:
            _result["reference"] = _v
        if (_v := self.name) is not None:
            _result["name"] = _v
        if (_v := self.sku) is not None:
            _result["sku"] = _v
        if (_v := self.product_type) is not None:
            _result["productType"] = _v.spelled if _v.__class__ is _Word else _v
        if (_v := self.items) is not None:
            _result["items"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Item else _write_object(_one))
        if (_v := self.url) is not None:
            _result["url"] = _v
        if (_v := self.image_url) is not None:
            _result["imageUrl"] = _v
        if (_v := self.quantity) is not None:
            _result["quantity"] = _v
        if (_v := self.unit) is not None:
            _result["unit"] = _v
        if (_v := self.price) is not None:
            _result["price"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.total) is not None:
            _result["total"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.original_total) is not None:
            _result["originalTotal"] = _v.to_dict() if _v.__class__ is Price else _write_object(_v)
        if (_v := self.vat_rate) is not None:
            _result["vatRate"] = (
                _v
                if (_v.__class__ is float and _v - _v == 0.0) or _v.__class__ is int
                else _write_number(_v, "Item.vatRate")
            )
        if (_v := self.discounts) is not None:
            _result["discounts"] = _list = []
            for _one in _v:
                _list.append(_one.to_dict() if _one.__class__ is Discount else _write_object(_one))
        if (_v := self.logistics) is not None:
            _result["logistics"] = _v.to_dict() if _v.__class__ is Logistics else _write_object(_v)
        if (_v := self.upsell) is not None:
            _result["upsell"] = _v
        if (_v := self.attributes) is not None:
            _result["attributes"] = _v
        return _with_rest(self, _result) if self._rest or self._came else _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Item")
        return object.__new__(cls).__fill__(src_dict)

    def __fill__(self, src_dict: dict[str, Any]) -> Self:
        """Gives every member its value from decoded JSON, whatever that holds."""
        _list: list[Any]
        _v: Any
        self._rest = self._came = None
        _places = len(src_dict)

        self.id = _v = src_dict.get("id")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.id = _or_keep(self, _v, "id", "Item.id", _v if isinstance(_v, str) else None)

        self.reference = _v = src_dict.get("reference")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.reference = _or_keep(self, _v, "reference", "Item.reference", _v if isinstance(_v, str) else None)

        self.name = _v = src_dict.get("name")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.name = _or_keep(self, _v, "name", "Item.name", _v if isinstance(_v, str) else None)

        self.sku = _v = src_dict.get("sku")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.sku = _or_keep(self, _v, "sku", "Item.sku", _v if isinstance(_v, str) else None)

        self.product_type = _v = src_dict.get("productType")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str or _v not in PRODUCT_TYPE_VALUES:
            self.product_type = _or_keep(
                self, _v, "productType", "Item.productType", _read_word(_v, PRODUCT_TYPE_WORDS, "Item.productType")
            )

        self.items = _v = src_dict.get("items")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.items = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_item().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "items", "Item.items")
        else:
            self.items = _or_keep(self, _v, "items", "Item.items")

        self.url = _v = src_dict.get("url")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.url = _or_keep(self, _v, "url", "Item.url", _v if isinstance(_v, str) else None)

        self.image_url = _v = src_dict.get("imageUrl")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.image_url = _or_keep(self, _v, "imageUrl", "Item.imageUrl", _v if isinstance(_v, str) else None)

        self.quantity = _v = src_dict.get("quantity")
        if _v is None:
            _places += 1
        elif _v.__class__ is not int:
            self.quantity = _or_keep(self, _v, "quantity", "Item.quantity", _read_integer(_v))

        self.unit = _v = src_dict.get("unit")
        if _v is None:
            _places += 1
        elif _v.__class__ is not str:
            self.unit = _or_keep(self, _v, "unit", "Item.unit", _v if isinstance(_v, str) else None)

        self.price = _v = src_dict.get("price")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.price = _new_price().__fill__(_v)
        else:
            self.price = _or_keep(self, _v, "price", "Item.price")

        self.total = _v = src_dict.get("total")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.total = _new_price().__fill__(_v)
        else:
            self.total = _or_keep(self, _v, "total", "Item.total")

        self.original_total = _v = src_dict.get("originalTotal")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.original_total = _new_price().__fill__(_v)
        else:
            self.original_total = _or_keep(self, _v, "originalTotal", "Item.originalTotal")

        self.vat_rate = _v = src_dict.get("vatRate")
        if _v is None:
            _places += 1
        elif (_v.__class__ is not float or _v - _v != 0.0) and _v.__class__ is not int:
            self.vat_rate = _or_keep(self, _v, "vatRate", "Item.vatRate")

        self.discounts = _v = src_dict.get("discounts")
        if _v is None:
            _places += 1
        elif _v.__class__ is list:
            self.discounts = _list = []
            if _v:
                for _one in _v:
                    if _one.__class__ is dict:
                        _list.append(_new_discount().__fill__(_one))
                if len(_list) != len(_v):
                    _keep_list(self, _v, "discounts", "Item.discounts")
        else:
            self.discounts = _or_keep(self, _v, "discounts", "Item.discounts")

        self.logistics = _v = src_dict.get("logistics")
        if _v is None:
            _places += 1
        elif _v.__class__ is dict:
            self.logistics = _new_logistics().__fill__(_v)
        else:
            self.logistics = _or_keep(self, _v, "logistics", "Item.logistics")

        self.upsell = _v = src_dict.get("upsell")
        if _v is None:
            _places += 1
        elif _v.__class__ is not bool:
            self.upsell = _or_keep(self, _v, "upsell", "Item.upsell")

        self.attributes = _v = src_dict.get("attributes")
        if _v is None:
            _places += 1
        elif _v.__class__ is not dict:
            self.attributes = _or_keep(self, _v, "attributes", "Item.attributes")

        # What came and what reads as None make up the members, unless something is null or no member.
        if _places != 18:
            _note_odd(self, src_dict, "Item")
        return self


from .discount import Discount
from .logistics import Logistics
from .price import Price

_new_discount = _supply(Discount)
_new_item = _supply(Item)
_new_logistics = _supply(Logistics)
_new_price = _supply(Price)
