"""Prepares a process for arithmetic, and silences useless messages of libraries."""

import logging
import warnings


def prepare_process(*_: object) -> None:
    """Flush denormal floats to zero in this process.

    Digital silence and small weights fill the nets with denormals, with which a CPU is 8 to 15 times
    slower. The setting belongs to a thread and is inherited by the threads that it starts. So it must be made
    before torch starts its thread pool: first in the main process and in every worker. The arguments are
    ignored; they are those of a ``worker_init_fn`` and of a pool's initialiser.
    """
    import torch  # imported here, because `wavegen --help` does not need it

    torch.set_flush_denormal(True)


def quiet_libraries() -> None:
    """Silence messages of libraries that do not help the user; all others are shown."""
    for name in ("utilities.rank_zero", "trainer.connectors.checkpoint_connector"):
        logging.getLogger(f"lightning.pytorch.{name}").addFilter(_is_of_use)
    # Lightning 2.6 calls a deprecated function of torch 2.13; wavegen does not.
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    # Few workers are intended: on a CPU they use the net's cores.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    # A frozen part of a model is in evaluation mode, also in training.
    warnings.filterwarnings("ignore", message=".*in eval mode at the start of training.*")


def _is_of_use(record: logging.LogRecord) -> bool:
    """False for advertisements, and for a note on saving that could be mistaken for unsafe loading."""
    return not record.getMessage().startswith(("💡 Tip:", "`weights_only` was not set"))
