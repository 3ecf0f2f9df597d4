"""What every process of wavegen does before its first arithmetic."""

import logging
import warnings


def prepare_process(*_: object) -> None:
    """Flush denormal floats to zero in this process.

    Digital silence and small weights fill the nets with denormals, on which a CPU is 8 to 15 times
    slower. The setting belongs to a thread and is inherited by the threads it starts, so it must be made before
    torch starts its pool: first thing in the main process and in every worker. The arguments are
    ignored; they let the function serve as ``worker_init_fn`` and as a pool's initialiser.
    """
    import torch  # here, so that `wavegen --help` need not wait for it

    torch.set_flush_denormal(True)
