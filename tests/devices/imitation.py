"""A second device on any machine: torch's device ``imitated`` keeps its tensors in the CPU's memory.

It is a backend of torch's own dispatcher (PrivateUse1), written in Python, so tensors on it are ordinary
tensors: autograd, optimisers, ``Module.to`` and ``torch.func`` work. As on CUDA, an operation on tensors of
two devices raises, ``.numpy()`` raises, and a factory without ``device=`` makes a CPU tensor. The CPU's
kernel computes each operation on the same memory, so values are the CPU's. A tensor changes its device by the
label of its DLPack capsule, the one place where torch takes a pointer and a device from Python.

What it does not show: kernels that CUDA lacks or rounds otherwise, streams, memory, and generators, which
torch cannot make for a device of Python. Its random numbers are those of the CPU's default generator.
"""

import ctypes
import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import backend_registration

WAVEGEN = Path(__file__).parents[2] / "wavegen"
CPU = torch.device("cpu")
IMITATED = "imitated:0"
IS_POSSIBLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
CPU_LABEL, DEVICE_LABEL = 1, 12  # of DLPack: kDLCPU, kDLExtDev
LABEL_OFFSET_BYTES = 8  # in a DLTensor, behind the pointer to the data
# On CUDA too these take indices on the CPU, and copies have a source and a target.
MAY_INDEX_BY_CPU = ("aten::index.", "aten::index_put", "aten::_index_put_impl", "aten::_unsafe_index")
WAITS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal")

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
_CPU_AUTOCAST = torch._C.DispatchKeySet(torch.DispatchKey.AutocastCPU)
_DEVICE_AUTOCAST = torch._C.DispatchKeySet(torch.DispatchKey.AutocastPrivateUse1)
_listeners: list[list[str]] = []


class _Module(getattr(backend_registration, "_DummyBackendModule", object)):
    """What ``torch.imitated`` offers."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]

    def synchronize(self, device: Any = None) -> None:
        """Every operation is complete when it returns."""


def relabelled(tensor: Tensor, label: int) -> Tensor:
    """The same memory as a tensor of another device; a capsule does not say that a tensor is conjugated."""
    if tensor.is_conj():
        return torch._conj(relabelled(torch._conj(tensor), label))
    if tensor.is_neg():
        return torch._neg_view(relabelled(torch._neg_view(tensor), label))
    capsule = torch._C._to_dlpack(tensor)
    address = _pointer(capsule, b"dltensor")
    ctypes.c_int32.from_address(address + LABEL_OFFSET_BYTES).value = label
    return torch._C._from_dlpack(capsule)


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """The value with its leaves mapped: an argument or result is a leaf or a list of leaves."""
    if isinstance(value, (list, tuple)):
        return type(value)(each(function, part) for part in value)
    return function(value)


def on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return relabelled(value, CPU_LABEL) if value.device.type == "imitated" else value
    return CPU if isinstance(value, torch.device) else value


def on_device(value: Any) -> Any:
    return relabelled(value, DEVICE_LABEL) if isinstance(value, Tensor) else value


@functools.cache
def written_by(op: Any) -> tuple[list[tuple[int, str]], list[str], bool, bool]:
    """Position and name of the arguments that are written, names of those that are results, whether the
    operation returns what it writes, and whether it returns a view of its first argument."""
    arguments = op._schema.arguments
    is_written = [a.alias_info is not None and a.alias_info.is_write for a in arguments]
    written = [(index, a.name) for index, a in enumerate(arguments) if is_written[index]]
    returned = [r.alias_info.is_write for r in op._schema.returns if r.alias_info is not None]
    return written, [a.name for a in arguments if a.is_out], any(returned), returned == [False]


def compute(op: Any, *args: Any, **kwargs: Any) -> Any:
    """The kernel of every operation: checks devices, lets the CPU compute on the same memory."""
    name = op.name()
    if name.startswith(WAITS):
        _note(name)
    check_devices(name, args, kwargs)
    # Some operations get numbers where their schema has tensors.
    if not torch._C._should_allow_numbers_as_tensors(op._schema.name.partition("::")[2]):
        types = [str(argument.type) for argument in op._schema.arguments]
        args = tuple(
            torch.tensor(value) if kind == "Tensor" and isinstance(value, (bool, int, float)) else value
            for value, kind in zip(args, types, strict=False)
        )
    positions, results, returns_them, is_view = written_by(op)
    written = {key: args[index] if index < len(args) else kwargs[key] for index, key in positions}
    inputs = {key: each(on_cpu, value) for key, value in kwargs.items() if key not in results}
    # What is written may have another shape than its result, and the CPU cannot resize memory of others.
    made = {key: each(lambda t: torch.empty(0, dtype=t.dtype), written[key]) for key in results}
    given = [each(on_cpu, value) for value in args]
    with torch._C._ExcludeDispatchKeyGuard(_CPU_AUTOCAST):  # a device has an autocast of its own
        result = op(*given, **inputs, **made)
    for key in results:
        targets, values = ([part] if isinstance(part, Tensor) else part for part in (written[key], made[key]))
        for target, value in zip(targets, values, strict=True):
            replace(target, value)
    if returns_them:
        return next(iter(written.values())) if len(written) == 1 else tuple(written.values())
    if is_view:
        return each(functools.partial(view_of, args[0]), result)
    return each(on_device, result)


def view_of(base: Tensor, computed: Tensor) -> Tensor:
    """A view of the base in the same memory as ``computed``: gradients of views ask for their place in it."""
    if computed.dtype != base.dtype:
        return relabelled(computed, DEVICE_LABEL)
    moved = computed.data_ptr() - base.data_ptr() if computed.numel() else 0
    offset = base.storage_offset() + moved // base.element_size()
    return as_strided(base, computed.shape, computed.stride(), offset)


def as_strided(base: Tensor, size: Any, stride: Any, offset: int | None = None) -> Tensor:
    offset = base.storage_offset() if offset is None else offset
    return torch.ops.aten.as_strided_(torch.ops.aten.alias(base), size, stride, offset)


def check_devices(name: str, args: Any, kwargs: Any) -> None:
    checked = [args[0], *args[2:]] if name.startswith(MAY_INDEX_BY_CPU) else [*args, *kwargs.values()]
    for value in checked:
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, Tensor) and part.device.type != "imitated" and part.dim():
                raise RuntimeError(
                    f"Expected all tensors to be on the same device, {name} got {IMITATED} and {part.device}"
                )
            if isinstance(part, torch.Generator):
                raise RuntimeError(
                    f"Expected an 'imitated' device type for generator but found '{part.device.type}'"
                )


def replace(target: Tensor, value: Tensor) -> None:
    """Write ``value`` into the target's memory if it fits, else give the target other memory."""
    if target.shape == value.shape:
        on_cpu(target).copy_(value)
    else:
        target.data = relabelled(value, DEVICE_LABEL)


def copy(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    if target.device.type == "cpu":
        _note("a copy to the CPU")
    on_cpu(target).copy_(on_cpu(source))
    return target


def resize(tensor: Tensor, size: list[int], *, memory_format: Any = None) -> Tensor:
    if list(tensor.shape) != list(size):
        assert not tensor.numel(), "only tensors without elements are resized: results of operations"
        tensor.data = relabelled(torch.empty(size, dtype=tensor.dtype), DEVICE_LABEL)
    return tensor


def set_storage(tensor: Tensor, source: torch.UntypedStorage, *place: Any) -> Tensor:
    """For ``torch.save`` and ``copy.deepcopy``: the tensor gets a copy, not the storage itself."""
    whole = torch.empty(0, dtype=tensor.dtype).set_(bytes_of(source), *place)
    tensor.data = relabelled(whole.clone(), DEVICE_LABEL)
    return tensor


def zeros(size: list[int], *, dtype: torch.dtype | None = None, **_: Any) -> Tensor:
    """For derivatives in forward mode, whose zeros have no memory on the CPU."""
    return relabelled(torch.zeros(size, dtype=dtype), DEVICE_LABEL)


def bytes_of(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    """The storage's memory as one of the CPU."""
    return torch._C._construct_storage_from_data_pointer(
        storage.data_ptr(), torch.device("cpu"), storage.nbytes()
    )


def clone_storage(storage: torch.UntypedStorage) -> torch.UntypedStorage:
    """For ``copy.deepcopy``, which clones storages without the dispatcher."""
    if storage.device.type != "imitated":
        return _clone_storage(storage)
    memory = torch.empty(0, dtype=torch.uint8).set_(bytes_of(storage)).clone()
    return relabelled(memory, DEVICE_LABEL).untyped_storage()


def load_storage(storage: torch.UntypedStorage, location: str) -> torch.UntypedStorage | None:
    """For ``torch.load``, which would make a storage of the device without the dispatcher."""
    if not location.startswith("imitated"):
        return None
    return relabelled(torch.empty(0, dtype=torch.uint8).set_(storage), DEVICE_LABEL).untyped_storage()


_clone_storage = torch.UntypedStorage.clone


def convolve(*args: Any) -> Any:
    return compute(torch.ops.aten.convolution.default, *args)


def convolve_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    wanted: list[bool],
) -> Any:
    bias = [weight.shape[1] * groups if transposed else weight.shape[0]]
    return compute(
        torch.ops.aten.convolution_backward.default,
        *(gradient, x, weight, bias, stride, padding, dilation, transposed, output_padding, groups, wanted),
    )


# Kernels live as long as these.
_LIBRARIES: list[torch.library.Library] = []
_OWN = {
    "_copy_from": copy,
    "_efficientzerotensor": zeros,
    "as_strided": as_strided,
    "resize_": resize,
    "set_.source_Storage": set_storage,
    "set_.source_Storage_storage_offset": set_storage,
    "convolution_overrideable": convolve,
    "convolution_backward_overrideable": convolve_backward,
}
_NOT_IN_PLACE = "CompositeExplicitAutogradNonFunctional"
# What torch.autocast computes in bfloat16 on CUDA, as far as this project calls it.
_LOWER_PRECISION = ("conv1d", "conv2d", "linear", "matmul", "mm", "bmm", "addmm", "baddbmm")


def register() -> torch.device:
    """The device, which is registered at the first call.

    Torch counts devices at the first backward pass of a process, so the first call must come before it.
    """
    if not _LIBRARIES:
        backend_registration._setup_privateuseone_for_python_backend(
            rename="imitated", backend_module=_Module()
        )
        everything, aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
        everything.fallback(compute, "PrivateUse1")
        everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
        for key in ("Conjugate", "Negative"):  # which else would copy before they copy
            aten.impl("_copy_from", torch.library.fallthrough_kernel, key)
        for name, kernel in _OWN.items():
            aten.impl(name, kernel, "PrivateUse1")
        # Torch would compute these in a tensor that it makes before: three operations instead of one.
        for name in torch._C._dispatch_get_registrations_for_dispatch_key(_NOT_IN_PLACE):
            base, _, overload = name.removeprefix("aten::").partition(".")
            operation = getattr(getattr(torch.ops.aten, base), overload or "default")
            if torch.Tag.inplace_view not in operation.tags:
                aten.impl(name, functools.partial(compute, operation), "PrivateUse1")
        for name in _LOWER_PRECISION:
            aten.impl(name, _in_lower_precision(name), "AutocastPrivateUse1")
        torch.serialization.register_package(5, lambda storage: None, load_storage)
        torch.UntypedStorage.clone = clone_storage  # type: ignore[method-assign]
        _LIBRARIES.extend([everything, aten])
    return torch.device(IMITATED)


def _in_lower_precision(name: str) -> Any:
    operation = getattr(torch.ops.aten, name)

    def cast(value: Any) -> Any:
        is_wide = isinstance(value, Tensor) and value.dtype == torch.float32
        return value.to(torch.get_autocast_dtype("imitated")) if is_wide else value

    def call(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(_DEVICE_AUTOCAST):
            return operation(
                *[each(cast, value) for value in args], **{k: each(cast, v) for k, v in kwargs.items()}
            )

    return call


def _note(what: str) -> None:
    for listener in _listeners:
        own = [frame for frame in traceback.extract_stack() if frame.filename.startswith(f"{WAVEGEN}/")]
        place = f"{own[-1].filename.removeprefix(f'{WAVEGEN}/')}:{own[-1].lineno}" if own else "elsewhere"
        listener.append(f"{place} {what}")


@contextmanager
def waits() -> Iterator[list[str]]:
    """Where the CPU waits for the device inside the block: values that are read, tensors that are fetched."""
    found: list[str] = []
    _listeners.append(found)
    try:
        yield found
    finally:
        _listeners.remove(found)
