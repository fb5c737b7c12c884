"""Ending a training run on a signal, on all processes at once."""

from __future__ import annotations

import signal
from typing import Any

import torch
from accelerate import Accelerator


class StopRequest:
    """Turns SIGTERM and Ctrl-C into a flag, so that the step in progress is finished and saved."""

    def __enter__(self) -> StopRequest:
        self.received = 0
        self._before = {number: signal.signal(number, self._receive) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _frame: Any) -> None:
        self.received = number

    def agreed(self, accelerator: Accelerator) -> bool:
        """Whether any process got the signal: all have to leave at the same step, or the others wait for it forever."""
        received = torch.tensor(float(self.received > 0), device=accelerator.device)
        return bool(accelerator.reduce(received, reduction="sum").item() > 0)
