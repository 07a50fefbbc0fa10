"""The registers as CMSIS-SVD 1.3 (System View Description), which debuggers and generators of drivers read."""

from __future__ import annotations

from xml.etree import ElementTree

from deltatrain.accel.bus.register import REGISTER_BITS, Access, Register
from deltatrain.accel.bus.registers import ADDRESS_BITS, LAYOUT_VERSION, REGISTERS

__all__ = ["svd"]

_ACCESS: dict[Access, str] = {
    "read-only": "read-only",
    "read-write": "read-write",
    "command": "write-only",
    "write-one-clears": "read-write",
}


def svd(resets: dict[str, int], base_address: int = 0) -> str:
    """Return the description of a device whose one peripheral is the machine.

    Parameters
    ----------
    resets
        Value of each register whose reset is a fact of the machine, by name.
    base_address
        Where the registers are on the user's bus.
    """
    device = ElementTree.Element(
        "device",
        {
            "schemaVersion": "1.3.9",
            "xmlns:xs": "http://www.w3.org/2001/XMLSchema-instance",
            "xs:noNamespaceSchemaLocation": "CMSIS-SVD.xsd",
        },
    )
    properties = {"size": str(REGISTER_BITS), "resetValue": "0x0", "resetMask": f"{(1 << REGISTER_BITS) - 1:#x}"}
    about = {
        "name": "deltatrain",
        "version": str(LAYOUT_VERSION),
        "description": "Trains delta networks",
        "addressUnitBits": "8",
        "width": str(REGISTER_BITS),
        **properties,
    }
    _add(device, about)
    peripheral = ElementTree.SubElement(ElementTree.SubElement(device, "peripherals"), "peripheral")
    _add(peripheral, {"name": "DELTATRAIN", "version": str(LAYOUT_VERSION), "description": "Its registers"})
    _add(peripheral, {"baseAddress": f"{base_address:#x}"})
    block = {"offset": "0x0", "size": f"{1 << ADDRESS_BITS:#x}", "usage": "registers"}
    _add(ElementTree.SubElement(peripheral, "addressBlock"), block)
    interrupt = {"name": "DELTATRAIN", "description": "An enabled end of a run", "value": "0"}
    _add(ElementTree.SubElement(peripheral, "interrupt"), interrupt)
    registers = ElementTree.SubElement(peripheral, "registers")
    for register in REGISTERS.values():
        reset = resets[register.name] if register.reset is None else register.reset
        _add_register(ElementTree.SubElement(registers, "register"), register, reset)
    ElementTree.indent(device)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(device, encoding="unicode") + "\n"


def _add_register(element: ElementTree.Element, register: Register, reset: int) -> None:
    access = {"access": _ACCESS[register.access]}
    about = {
        "name": register.name.upper(),
        "description": register.meaning,
        "addressOffset": f"{register.address:#x}",
        "size": str(REGISTER_BITS),
    }
    _add(element, {**about, **access, "resetValue": f"{reset:#x}"})
    if register.access == "write-one-clears":
        _add(element, {"modifiedWriteValues": "oneToClear"})
    fields = ElementTree.SubElement(element, "fields")
    for field in register.fields:
        bits = {"bitOffset": str(field.low), "bitWidth": str(field.bits)}
        about = {"name": field.name.upper(), "description": field.meaning}
        _add(ElementTree.SubElement(fields, "field"), {**about, **bits, **access})


def _add(parent: ElementTree.Element, texts: dict[str, str]) -> None:
    """Add an element for each name, with its text, in their order, which the schema prescribes."""
    for name, text in texts.items():
        ElementTree.SubElement(parent, name).text = text
