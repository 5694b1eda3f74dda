"""Number formats: safetensors' codes, their widths, and the names torch gives them in storages and scripts.

A code is upper-case where safetensors can store it; a lower-case name is torch's own and cannot be stored.
"""

from __future__ import annotations

BITS: dict[str, int] = {
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    "F32": 32, "U32": 32, "I32": 32,
    "BF16": 16, "F16": 16, "U16": 16, "I16": 16,
    "F8_E5M2FNUZ": 8, "F8_E4M3FNUZ": 8, "F8_E8M0": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I8": 8, "U8": 8,
    "F6_E3M2": 6, "F6_E2M3": 6, "F4": 4,
    "BOOL": 8,
}  # fmt: skip
"""Width in bits of each safetensors code, in the order the reference serialiser lays tensors out."""

RANK: dict[str, int] = {code: place for place, code in enumerate(BITS)}

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""The formats a change of precision applies to; 8-bit floats are already a choice and stay as they are."""

REALS = FLOATS | {"F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}
"""What weights are stored in: floating, one by one, the 8-bit ones included."""

FOREIGN_BITS: dict[str, int] = {
    "complex128": 128, "complex32": 32, "qint8": 8, "quint8": 8, "qint32": 32, "quint4x2": 8, "quint2x4": 8,
    "float4_e2m1fn_x2": 8,
}  # fmt: skip
"""Width in bits of what torch stores and safetensors cannot express as it stands."""

STORAGES: dict[str, str] = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8",
    "ByteStorage": "U8", "BoolStorage": "BOOL", "ComplexFloatStorage": "C64", "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8", "QUInt8Storage": "quint8", "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4", "UntypedStorage": "U8", "_UntypedStorage": "U8",
}  # fmt: skip
"""torch's storage classes; torch itself goes by the class name alone, whatever module the file writes before it."""

TORCH_NAMES: dict[str, str] = {
    "float64": "F64", "double": "F64", "float32": "F32", "float": "F32", "float16": "F16", "half": "F16",
    "bfloat16": "BF16", "int64": "I64", "long": "I64", "int32": "I32", "int": "I32", "int16": "I16", "short": "I16",
    "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
    "complex64": "C64", "cfloat": "C64", "complex128": "complex128", "cdouble": "complex128",
    "complex32": "complex32", "chalf": "complex32", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
    "float4_e2m1fn_x2": "float4_e2m1fn_x2",
    "qint8": "qint8", "quint8": "quint8", "qint32": "qint32", "quint4x2": "quint4x2", "quint2x4": "quint2x4",
}  # fmt: skip
"""The attributes of the torch module that name a dtype."""

NUMPY_NAMES: dict[str, str] = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
    "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL", "c8": "C64",
}  # fmt: skip
"""numpy's array-protocol type strings without their byte order."""


def bits(dtype: str) -> int | None:
    """Width of one element in bits, None when the name is unknown."""
    return BITS.get(dtype) or FOREIGN_BITS.get(dtype)


def byte_length(dtype: str, elements: int) -> int | None:
    """Bytes that `elements` numbers fill, None for an unknown dtype or a count that ends within a byte."""
    width = bits(dtype)
    if width is None or (elements * width) % 8:
        return None
    return elements * width // 8


def item_size(dtype: str) -> int | None:
    """Bytes of one element, None for unknown dtypes and for those narrower than a byte."""
    return byte_length(dtype, 1)


def count(shape: tuple[int, ...]) -> int:
    """How many elements a shape holds; 1 for a scalar."""
    elements = 1
    for length in shape:
        elements *= length
    return elements
