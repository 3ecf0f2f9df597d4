"""Synchronises the threads of one engine in compiled code, by counters in shared memory.

Threads synchronise some 100,000 times per second, for a fraction of a microsecond each. Locks of the
operating system would cost more than the work. A counter is one element of an int64 array, written by one
thread. A waiting thread spins and after a while yields its core, so that more threads than cores are slow but
do not block each other.
"""

import sys

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from wavegen import processor
from wavegen.engines.vector.vector_code import Arguments

COUNTER_STRIDE = 16
"""Elements between two counters: each has two cache lines of its own, because prefetchers fetch pairs."""

_SPINS = 2000


@intrinsic
def read_counter(typing_context, counters, index):
    """The counter's value, read with acquire order: earlier writes of its writer become visible."""

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature, args)
        return builder.load_atomic(address, "acquire", 8)

    return types.int64(counters, index), codegen


@intrinsic
def write_counter(typing_context, counters, index, value):
    """Set the counter with release order: readers of the new value see all earlier writes of this thread."""

    def codegen(context, builder, signature, args):
        address = _address(context, builder, signature, args)
        value = context.cast(builder, args[2], signature.args[2], types.int64)
        builder.store_atomic(value, address, "release", 8)
        return context.get_dummy_value()

    return types.void(counters, index, value), codegen


@intrinsic
def _give_way(typing_context):
    """Yield this core to another thread."""

    def codegen(context, builder, signature, args):
        name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _pause(typing_context):
    """Emit the processor's hint for a waiting loop, if it has one."""

    def codegen(context, builder, signature, args):
        if processor.architecture() == "x86_64":
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


def _address(context, builder, signature, args):
    given = Arguments(context, builder, signature, args)
    return given.element(0, given.number(1))


@njit(nogil=True, cache=True)
def wait_for(counters, index, value):
    """Return when the counter is at least ``value``."""
    spins = 0
    while read_counter(counters, index) < value:
        _pause()
        spins += 1
        if spins > _SPINS:
            _give_way()
