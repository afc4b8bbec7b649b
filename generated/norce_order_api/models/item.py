"""Item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from attrs import define, field

from ..types import (
    as_object as _as_object,
    is_number as _is_number,
    keep_raw as _keep_raw,
    keep_rest as _keep_rest,
    note_nulls as _note_nulls,
    read_integer as _read_integer,
    read_word as _read_word,
    write_list as _write_list,
    write_number as _write_number,
    write_object as _write_object,
    write_word as _write_word,
)
from .product_type import PRODUCT_TYPE_VALUES, PRODUCT_TYPE_WORDS

if TYPE_CHECKING:
    from .attributes import Attributes
    from .product_type import ProductType


@define
class Item:
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
    additional_properties: dict[str, Any] = field(init=False, factory=dict[str, Any], repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON-ready data in the API's own spelling."""
        _result = dict(self.additional_properties)
        if self.id is not None:
            _result["id"] = self.id
        if self.reference is not None:
            _result["reference"] = self.reference
        if self.name is not None:
            _result["name"] = self.name
        if self.sku is not None:
            _result["sku"] = self.sku
        if self.product_type is not None:
            _result["productType"] = _write_word(self.product_type)
        if self.items is not None:
            _result["items"] = [_write_object(_one) for _one in self.items]
            if "items" in self.additional_properties:
                _result["items"] = _write_list(
                    _result["items"],
                    self.additional_properties["items"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Item.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.url is not None:
            _result["url"] = self.url
        if self.image_url is not None:
            _result["imageUrl"] = self.image_url
        if self.quantity is not None:
            _result["quantity"] = self.quantity
        if self.unit is not None:
            _result["unit"] = self.unit
        if self.price is not None:
            _result["price"] = _write_object(self.price)
        if self.total is not None:
            _result["total"] = _write_object(self.total)
        if self.original_total is not None:
            _result["originalTotal"] = _write_object(self.original_total)
        if self.vat_rate is not None:
            _result["vatRate"] = _write_number(self.vat_rate, "Item.vatRate")
        if self.discounts is not None:
            _result["discounts"] = [_write_object(_one) for _one in self.discounts]
            if "discounts" in self.additional_properties:
                _result["discounts"] = _write_list(
                    _result["discounts"],
                    self.additional_properties["discounts"],
                    lambda _raw: [
                        _write_object(_one)
                        for _one in [Discount.from_dict(_one) for _one in _raw if _one.__class__ is dict]
                    ],
                )
        if self.logistics is not None:
            _result["logistics"] = _write_object(self.logistics)
        if self.upsell is not None:
            _result["upsell"] = self.upsell
        if self.attributes is not None:
            _result["attributes"] = self.attributes
        return _result

    @classmethod
    def from_dict(cls, src_dict: Any) -> Self:
        """The model from decoded JSON, whatever that holds: never raises."""
        if src_dict.__class__ is not dict:
            src_dict = _as_object(src_dict, "Item")
        _rest: dict[str, Any] = {}

        id = src_dict.get("id")
        if id is not None and not isinstance(id, str):
            _keep_raw(_rest, "id", id, "Item.id")
            id = None

        reference = src_dict.get("reference")
        if reference is not None and not isinstance(reference, str):
            _keep_raw(_rest, "reference", reference, "Item.reference")
            reference = None

        name = src_dict.get("name")
        if name is not None and not isinstance(name, str):
            _keep_raw(_rest, "name", name, "Item.name")
            name = None

        sku = src_dict.get("sku")
        if sku is not None and not isinstance(sku, str):
            _keep_raw(_rest, "sku", sku, "Item.sku")
            sku = None

        product_type = src_dict.get("productType")
        if product_type is not None and (type(product_type) is not str or product_type not in PRODUCT_TYPE_VALUES):
            _raw = product_type
            product_type = _read_word(_raw, PRODUCT_TYPE_WORDS, "Item.productType")
            if product_type is None:
                _keep_raw(_rest, "productType", _raw, "Item.productType")

        items: list[Item] | None = None
        _raw = src_dict.get("items")
        if _raw.__class__ is list:
            items = [Item.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(items) != len(_raw):
                _keep_raw(_rest, "items", _raw, "Item.items")
        elif _raw is not None:
            _keep_raw(_rest, "items", _raw, "Item.items")

        url = src_dict.get("url")
        if url is not None and not isinstance(url, str):
            _keep_raw(_rest, "url", url, "Item.url")
            url = None

        image_url = src_dict.get("imageUrl")
        if image_url is not None and not isinstance(image_url, str):
            _keep_raw(_rest, "imageUrl", image_url, "Item.imageUrl")
            image_url = None

        quantity = src_dict.get("quantity")
        if quantity is not None and type(quantity) is not int:
            _raw = quantity
            quantity = _read_integer(_raw)
            if quantity is None:
                _keep_raw(_rest, "quantity", _raw, "Item.quantity")

        unit = src_dict.get("unit")
        if unit is not None and not isinstance(unit, str):
            _keep_raw(_rest, "unit", unit, "Item.unit")
            unit = None

        price: Price | None = None
        _raw = src_dict.get("price")
        if _raw.__class__ is dict:
            price = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "price", _raw, "Item.price")

        total: Price | None = None
        _raw = src_dict.get("total")
        if _raw.__class__ is dict:
            total = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "total", _raw, "Item.total")

        original_total: Price | None = None
        _raw = src_dict.get("originalTotal")
        if _raw.__class__ is dict:
            original_total = Price.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "originalTotal", _raw, "Item.originalTotal")

        vat_rate = src_dict.get("vatRate")
        if vat_rate is not None and not _is_number(vat_rate):
            _keep_raw(_rest, "vatRate", vat_rate, "Item.vatRate")
            vat_rate = None

        discounts: list[Discount] | None = None
        _raw = src_dict.get("discounts")
        if _raw.__class__ is list:
            discounts = [Discount.from_dict(_one) for _one in _raw if _one.__class__ is dict]
            if len(discounts) != len(_raw):
                _keep_raw(_rest, "discounts", _raw, "Item.discounts")
        elif _raw is not None:
            _keep_raw(_rest, "discounts", _raw, "Item.discounts")

        logistics: Logistics | None = None
        _raw = src_dict.get("logistics")
        if _raw.__class__ is dict:
            logistics = Logistics.from_dict(_raw)
        elif _raw is not None:
            _keep_raw(_rest, "logistics", _raw, "Item.logistics")

        upsell = src_dict.get("upsell")
        if upsell is not None and not isinstance(upsell, bool):
            _keep_raw(_rest, "upsell", upsell, "Item.upsell")
            upsell = None

        attributes: Attributes | None = None
        _raw = src_dict.get("attributes")
        if _raw.__class__ is dict:
            attributes = _raw
        elif _raw is not None:
            _keep_raw(_rest, "attributes", _raw, "Item.attributes")

        if not src_dict.keys() <= cls.MEMBERS:
            _keep_rest(src_dict, cls.MEMBERS, _rest, "Item")
        if None in src_dict.values():
            _note_nulls(src_dict, cls.MEMBERS, "Item")
        _model = cls(
            id,
            reference,
            name,
            sku,
            product_type,
            items,
            url,
            image_url,
            quantity,
            unit,
            price,
            total,
            original_total,
            vat_rate,
            discounts,
            logistics,
            upsell,
            attributes,
        )
        if _rest:
            _model.additional_properties = _rest
        return _model


from .discount import Discount
from .logistics import Logistics
from .price import Price
