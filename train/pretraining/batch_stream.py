"""Batches prepared by other processes while the model trains."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from itertools import chain, islice

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from train.pretraining.batches import PairBatches, StreamedBatches
from train.pretraining.collator import Batch

# Batches that each process prepares in advance.
_AHEAD = 3


class BatchStream:
    """
    The batches of a phase, prepared by this process or by others.

    Writing and tokenising the phrases of a batch takes longer than an accelerator needs to learn from them. Each batch
    depends only on its epoch and number, so the batches are the same whoever prepares them.

    Args:
        batches: Maker of the batches.
        num_epochs: Number of epochs of the phase.
        workers: Number of processes; 0: this process prepares each batch when it is needed.
    """

    def __init__(self, batches: PairBatches | StreamedBatches, num_epochs: int, workers: int = 0):
        self.batches, self.num_epochs, self.workers = batches, num_epochs, workers
        self._prepared: Iterator[Batch] | None = None

    def epoch(self, epoch: int, first_batch: int = 0) -> Iterator[Batch]:
        """
        Yield the batches of an epoch.

        Args:
            epoch: The epoch; with workers, the one after the last call, since they go on with the next epoch.
            first_batch: First batch; with workers, only in the first call.
        """
        if not self.workers:
            return self.batches.epoch(epoch, first_batch)
        if self._prepared is None:
            self._prepared = self._start(epoch, first_batch)
        return islice(self._prepared, len(self.batches) - first_batch)

    def _start(self, epoch: int, first_batch: int) -> Iterator[Batch]:
        assert isinstance(self.batches, PairBatches)
        share = _Share(self.batches, epoch, first_batch, self.num_epochs)
        # A generator of its own: the loader would draw a seed from the global one. The workers are forked, since the
        # vocabulary cannot be sent to them, and use no accelerator.
        loader = DataLoader(
            share,
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=_AHEAD,
            multiprocessing_context="fork",
            generator=torch.Generator(),
            worker_init_fn=_ignore_signals,
        )
        return iter(loader)


def _ignore_signals(_worker: int) -> None:
    # A terminal and a batch system send them to all processes of a run. The workers end with this process, which first
    # finishes its step and saves.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


class _Share(IterableDataset[Batch]):
    """Every n-th batch from a place on, if there are n workers; the loader takes one from each in turn."""

    def __init__(self, batches: PairBatches, epoch: int, first_batch: int, num_epochs: int):
        self.batches, self.epoch, self.first_batch, self.num_epochs = batches, epoch, first_batch, num_epochs

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        assert worker is not None
        per_epoch = len(self.batches)

        def own(epoch: int) -> Iterator[Batch]:
            # Batches are counted from the first one that is prepared.
            passed = (epoch - self.epoch) * per_epoch - self.first_batch
            first = max(-passed, 0)
            first += (worker.id - passed - first) % worker.num_workers
            return self.batches.epoch(epoch, first, worker.num_workers)

        return chain.from_iterable(map(own, range(self.epoch, self.num_epochs)))


__all__ = ["BatchStream"]
