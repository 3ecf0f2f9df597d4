"""A plugin of mypy: submodules and buffers of a torch module have any type.

torch declares what ``nn.Module.__getattr__`` finds as ``Tensor | Module``, and the members of a
``ModuleList`` as ``Module``. The class of a submodule is known where it is set, so every use would
need a cast.
"""

from collections.abc import Callable

from mypy.plugin import AttributeContext, MethodContext, Plugin
from mypy.types import AnyType, Instance, Type, TypeOfAny, UnionType, get_proper_type

MEMBERS = {"torch.Tensor", "torch._tensor.Tensor", "torch.nn.modules.module.Module"}
CONTAINERS = ("torch.nn.modules.container.ModuleList.", "torch.nn.modules.container.ModuleDict.")


class TorchModules(Plugin):
    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        return any_member

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        return any_item if fullname.startswith(CONTAINERS) else None


def any_member(context: AttributeContext) -> Type:
    found = get_proper_type(context.default_attr_type)
    if isinstance(found, UnionType):
        items = [get_proper_type(item) for item in found.items]
        if (
            len(items) == 2
            and {item.type.fullname for item in items if isinstance(item, Instance)} <= MEMBERS
        ):
            return AnyType(TypeOfAny.explicit)
    return context.default_attr_type


def any_item(context: MethodContext) -> Type:
    found = get_proper_type(context.default_return_type)
    if isinstance(found, Instance) and found.type.fullname in MEMBERS:
        return AnyType(TypeOfAny.explicit)
    if isinstance(found, Instance) and found.args:
        return found.copy_modified(args=[AnyType(TypeOfAny.explicit) for _ in found.args])
    return found


def plugin(version: str) -> type[Plugin]:
    return TorchModules
