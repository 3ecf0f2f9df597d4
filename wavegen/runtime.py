"""What every process of wavegen does before its first arithmetic."""

import logging
import warnings


def prepare_process(*_: object) -> None:
    """Flush denormal floats to zero in this process.

    Digital silence and small weights fill the nets with denormals, on which a CPU is 8 to 15 times
    slower. The setting belongs to a thread and is inherited by the threads it starts, so it must be made
    before torch starts its pool: first thing in the main process and in every worker. The arguments are
    ignored; they let the function serve as ``worker_init_fn`` and as a pool's initialiser.
    """
    import torch  # here, so that `wavegen --help` need not wait for it

    torch.set_flush_denormal(True)


def quiet_libraries() -> None:
    """Silences what libraries say to everybody and nobody can act on; everything else stays audible."""
    for name in ("utilities.rank_zero", "trainer.connectors.checkpoint_connector"):
        logging.getLogger(f"lightning.pytorch.{name}").addFilter(_is_of_use)
    # Between Lightning 2.6 and torch 2.13; neither is wavegen's code.
    warnings.filterwarnings("ignore", message=r".*isinstance\(treespec, LeafSpec\).*")
    # Few workers on purpose: on a CPU they take the net's cores.
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")


def _is_of_use(record: logging.LogRecord) -> bool:
    """Drops advertisements, and a note on saving that reads as if unsafe loading were meant."""
    return not record.getMessage().startswith(("💡 Tip:", "`weights_only` was not set"))
